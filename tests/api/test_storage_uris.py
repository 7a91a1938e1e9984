"""Where models may lie."""

import pytest

from api.storage_uris import PREFIXES, Location, complaint, locate


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("models/iris.skops", Location(kind="path", path="models/iris.skops")),
        ("/models/iris", Location(kind="path", path="/models/iris")),
        ("file:///models/iris", Location(kind="path", path="/models/iris")),
        ("file://models/iris", Location(kind="path", path="models/iris")),
        ("pvc://claim/a/b", Location(kind="claim", claim="claim", path="a/b")),
        ("pvc://claim", Location(kind="claim", claim="claim")),
        ("s3://a/b", Location(kind="elsewhere")),
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


@pytest.mark.parametrize("uri", ["pvc://", "pvc:///a", "pvc://UPPER/a"])
def test_a_claim_has_a_name(uri: str) -> None:
    assert complaint(uri).endswith("names no claim")


@pytest.mark.parametrize(
    ("path", "is_file"),
    [("a/b.onnx", True), ("a.d/b", False), ("a/.hidden", False), ("a/v1.2/", False)],
)
def test_a_name_that_looks_like_a_files(path: str, *, is_file: bool) -> None:
    assert locate(path).is_file is is_file
