import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.storage_uris import shown
from predictor.fetch_uris import (
    FetchError,
    amount,
    archive,
    distinct,
    place,
    progress,
    redirected,
    safe,
)

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("https://h/a/m.onnx", ("https", "", "a/m.onnx", "", "m.onnx")),
        ("http://h:81/m%20x.onnx?sig=1", ("http", "", "m x.onnx", "", "m x.onnx")),
        ("https://h", ("https", "", "", "", "model")),
        ("s3://b", ("s3", "b", "", "", "b")),
        ("s3://b/dir/", ("s3", "b", "dir", "", "dir")),
        ("gs://b/a/m.onnx", ("gs", "b", "a/m.onnx", "", "m.onnx")),
        ("hf://org/repo", ("hf", "org/repo", "", "main", "repo")),
        ("hf://org/repo:v1/onnx/m.onnx", ("hf", "org/repo", "onnx/m.onnx", "v1", "m.onnx")),
    ],
)
def test_a_uri_taken_apart(uri: str, parts: tuple[str, ...]) -> None:
    found = place(uri)
    assert (found.scheme, found.where, found.path, found.revision, found.name) == parts
    pinned = place(f"{uri}#sha256={HEX}")
    assert (pinned.uri, pinned.digest) == (uri, f"sha256:{HEX}")
    assert place(f"{uri}#sha256={HEX.upper()}") == pinned


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("ftp://h/x", "is not fetched"),
        ("file:///etc/passwd", "is not fetched"),
        ("hdfs://h/x", "is not fetched"),
        ("https:///x", "names no host"),
        ("https://h:port/x", "is not a URI"),
        ("https://[::1/x", "is not a URI"),
        ("https://h/a b?secret", r"^'https://h/a b\?…' is not a URI: it holds a space"),
        ("https://user:secret@h/x", "holds a password"),
        ("https://h/x y", "a space"),
        ("https://h/x\r\nhost: y", "a control character"),
        ("https://acct.blob.core.windows.net/c/m", "Azure"),
        ("https://h/repo.git", "git"),
        ("https://h/x#sha256=ab", "ends in no digest"),
        ("https://h/x#sha512=" + "a" * 128, "ends in no digest"),
        ("s3:///x", "names no bucket"),
        ("hf://repo", "names no repository"),
        ("hf://org/repo:/x", "names no repository"),
        ("hf://org/repo:a?b", "is no revision"),
    ],
)
def test_what_is_not_fetched_is_told(uri: str, words: str) -> None:
    with pytest.raises(FetchError, match=words) as caught:
        place(uri)
    assert "secret" not in str(caught.value)
    assert caught.value.is_final


def test_what_is_unpacked() -> None:
    assert [archive(each) for each in ("a.zip", "A.TGZ", "a.tar.gz", "m.onnx", ".zip")] == [
        ".zip",
        ".tgz",
        ".tar.gz",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://h/x", "from https to http"),
        ("file:///etc/passwd", "file://, which is not followed"),
        ("ftp://h/x", "not followed"),
        ("https://u:p@h/x", "with a password"),
        ("https://[", "no URL"),
    ],
)
def test_redirects_that_are_not_followed(location: str, words: str) -> None:
    with pytest.raises(FetchError, match=words):
        redirected("https://h/m", location, hops=1)


def test_redirects_end() -> None:
    assert redirected("http://h/m", "https://cdn/m", hops=5) == "https://cdn/m"
    with pytest.raises(FetchError, match="more than 5 times"):
        redirected("http://h/m", "http://h/m", hops=6)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "C:/x",
        "a\\..\\x",
        "",
        "a\0b",
        "x" * 300,
        "a/" * 40 + "b",
        "/".join(["x" * 200] * 20),
        "\ud800",
    ],
)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(FetchError, match="refused"):
        safe(name, of="a.zip")


@given(st.text(alphabet="ab./\\:C\0 ", max_size=12))
def test_a_safe_name_stays_where_it_is_put(name: str) -> None:
    try:
        found = safe(name, of="a.zip")
    except FetchError:
        return
    assert not found.startswith("/")
    assert not re.search(r"(^|/)\.{0,2}(/|$)", found)
    assert safe(found, of="a.zip") == found


@pytest.mark.parametrize(
    ("names", "words"),
    [(["a", "b/c", "a"], '"a" twice'), (["m/1/x", "m/1"], '"m/1" as a file and as a folder')],
)
def test_names_that_are_one_place_are_refused(names: list[str], words: str) -> None:
    distinct(["a", "ab/c", "ab/d"], of="s3://b/m")
    with pytest.raises(FetchError, match=words):
        distinct(names, of="s3://b/m")


def test_a_name_that_no_disk_takes_is_replaced() -> None:
    assert place(f"https://h/{'x' * 300}.onnx").name == "model"


@pytest.mark.parametrize("location", ["ftp://h/", "http://a:b@h/"])
def test_a_redirect_is_told_without_the_signature(location: str) -> None:
    with pytest.raises(FetchError) as caught:
        redirected("http://h/m?signature=secret", location, hops=1)
    assert "secret" not in str(caught.value)


def test_progress_for_a_person() -> None:
    assert progress(12_300_000, 98_100_000, "s3://b/m") == "12.3 of 98.1 MB (12 %) of s3://b/m"
    assert progress(900_000, 98_100_000, "s3://b/m") == "900.0 kB of 98.1 MB (0 %) of s3://b/m"
    assert progress(5, None, "https://h/m?secret") == "5 bytes of https://h/m?…"
    assert shown("https://h/m?secret") == "https://h/m?…"
    assert [amount(n) for n in (0, 999, 1500, 2 * 10**12)] == [
        "0 bytes",
        "999 bytes",
        "1.5 kB",
        "2000.0 GB",
    ]
