"""Where models may lie."""

import pytest

from api.storage_uris import PREFIXES, Location, complaint, is_fetched, locate, refusal


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("models/iris.skops", Location(kind="path", path="models/iris.skops")),
        ("/models/iris", Location(kind="path", path="/models/iris")),
        ("file:///models/iris", Location(kind="path", path="/models/iris")),
        ("file://models/iris", Location(kind="path", path="models/iris")),
        ("pvc://claim/a/b", Location(kind="claim", claim="claim", path="a/b")),
        ("pvc://claim", Location(kind="claim", claim="claim")),
        ("s3://a/b", Location(kind="fetched", path="s3://a/b")),
        ("https://h/a?b#c", Location(kind="fetched", path="https://h/a?b#c")),
        ("hf://org/repo:v1", Location(kind="fetched", path="hf://org/repo:v1")),
        ("https://h/repo.git", Location(kind="elsewhere")),
        ("hdfs://h/a", Location(kind="elsewhere")),
        ("https://acct.blob.core.windows.net/a/b", Location(kind="elsewhere")),
    ],
)
def test_a_place(uri: str, wanted: Location) -> None:
    assert complaint(uri) == ""
    assert locate(uri) == wanted


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_prefix_of_kserves_is_taken(prefix: str) -> None:
    assert complaint(f"{prefix}name/path") == ""


@pytest.mark.parametrize("uri", ["ftp://a", "S3://a", "http://x.blob.core.windows.net/a"])
def test_others_are_refused_by_name(uri: str) -> None:
    assert complaint(uri).endswith(f"StorageUri [{uri}] is not supported")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("hdfs://h/a", "HDFS"),
        ("webhdfs://h/a", "HDFS"),
        ("oci://h/a", "no image is pulled"),
        ("oci+fetch://h/a", "no image is pulled"),
        ("pvc://claim/model", "name a path of this machine"),
        ("modelscope://a/b", "ModelScope"),
        ("https://a.blob.core.windows.net/c/m?sig=1", "Azure"),
        ("https://h/repo.git", "no git repository is cloned"),
        ("ftp://h/a", "only paths"),
        ("https://h/m.onnx", ""),
        ("gs://b/dir.git", ""),
    ],
)
def test_what_is_not_fetched_is_told_why(uri: str, words: str) -> None:
    assert words in refusal(uri)
    assert bool(refusal(uri)) == bool(words)


def test_what_is_fetched() -> None:
    found = ["m", "file:///m", "s3://b", "HTTP://h", "pvc://c", "hf://a/b", "gs://b", "oci://x"]
    assert [uri for uri in found if is_fetched(uri)] == ["s3://b", "HTTP://h", "hf://a/b", "gs://b"]


@pytest.mark.parametrize("uri", ["pvc://", "pvc:///a", "pvc://UPPER/a"])
def test_a_claim_has_a_name(uri: str) -> None:
    assert complaint(uri).endswith("names no claim")


@pytest.mark.parametrize(
    ("path", "is_file"),
    [("a/b.onnx", True), ("a.d/b", False), ("a/.hidden", False), ("a/v1.2/", False)],
)
def test_a_name_that_looks_like_a_files(path: str, *, is_file: bool) -> None:
    assert locate(path).is_file is is_file
