from urllib.parse import quote

import pytest

from predictor.fetch_http import Web, WebSource
from predictor.fetch_sources import ChangedError, Item, Listing
from predictor.fetch_uris import FetchError, place
from tests.predictor.fetch_servers import Asked, File, Server, serving


def looked(source: WebSource, known: str = "") -> Listing:
    found = source.look(known)
    assert found is not None
    return found


def read(source: WebSource, item: Item, start: int) -> tuple[int, bytes]:
    parts = list(source.read(item, start))
    return parts[0][0], b"".join(part for _, part in parts)


def test_a_file_is_described_and_read() -> None:
    with serving(m__onnx=b"x" * 3000) as server:
        source = WebSource(place(f"{server.url}/m.onnx"))
        (item,) = looked(source).items
        assert (item.name, item.size) == ("m.onnx", 3000)
        assert read(source, item, 0) == (0, b"x" * 3000)
        assert source.look(item.version) is None
        server.files["/m.onnx"] = File(b"other")
        assert looked(source, item.version).total == 5
        with pytest.raises(ChangedError):
            list(source.read(item, 0))
        with pytest.raises(ChangedError):
            list(source.read(item, 10))


@pytest.mark.parametrize(
    "facts", [{}, {"etag": None, "modified": "Thu, 01 Jan 2026 00:00:00 GMT"}, {"etag": 'W/"1"'}]
)
def test_what_has_not_changed_is_told_by_either_validator(facts: dict[str, str]) -> None:
    with serving(m=File(b"weights", **facts)) as server:  # type: ignore[arg-type]
        source = WebSource(place(f"{server.url}/m"))
        assert source.look(looked(source).version) is None


def test_reading_goes_on_where_it_stopped() -> None:
    with serving(m=b"0123456789") as server:
        source = WebSource(place(f"{server.url}/m"))
        (item,) = looked(source).items
        assert read(source, item, 6) == (6, b"6789")
        assert server.gets[-1].headers["if-range"] == item.version.partition(" @ ")[0]
        server.files["/m"].has_ranges = False
        assert read(source, item, 6) == (0, b"0123456789")


def test_without_a_validator_it_starts_anew() -> None:
    with serving(m=File(b"0123456789", etag=None)) as server:
        source = WebSource(place(f"{server.url}/m"))
        (item,) = looked(source).items
        assert item.version == ""
        assert read(source, item, 6) == (0, b"0123456789")
        assert "range" not in server.gets[-1].headers


def test_a_range_that_was_not_asked_for_is_refused() -> None:
    with Server() as server:
        whole = {"etag": '"1"', "content-range": "bytes 2-9/10"}
        server.routes = lambda asked: (
            (206, whole, b"23456789") if "range" in asked.headers else (200, whole, b"0123456789")
        )
        source = WebSource(place(f"{server.url}/m"))
        (item,) = looked(source).items
        with pytest.raises(FetchError, match="another part"):
            list(source.read(item, 6))


def test_a_server_without_a_name_in_its_url_may_give_one() -> None:
    told = {"content-disposition": 'attachment; filename="m.onnx"'}
    with serving(get=File(b"1", headers=told)) as server:
        assert looked(WebSource(place(f"{server.url}/get"))).items[0].name == "m.onnx"
        server.files["/get"].headers = {"content-disposition": 'attachment; filename="../m"'}
        assert looked(WebSource(place(f"{server.url}/get"))).items[0].name == "get"


def test_compression_that_nobody_asked_for_is_refused() -> None:
    with serving(m=File(b"1", headers={"content-encoding": "gzip"})) as server:
        with pytest.raises(FetchError, match="compresses"):
            WebSource(place(f"{server.url}/m")).look("")
        assert server.gets[-1].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("status", "words", "is_final"),
    [(403, "no credentials are sent", True), (404, "nothing", True), (503, "HTTP 503", False)],
)
def test_a_refusal_is_a_sentence(status: int, words: str, is_final: bool) -> None:
    answer = File(b"1", status=status, failures=9, headers={"retry-after": "7"})
    with serving(m=answer) as server, pytest.raises(FetchError, match=words) as caught:
        WebSource(place(f"{server.url}/m?signature=secret")).look("")
    assert caught.value.is_final == is_final
    assert caught.value.wait_s == 7
    assert "secret" not in str(caught.value)


def test_nobody_there_may_pass() -> None:
    with serving() as server:
        url = server.url
    with pytest.raises(FetchError, match="can not be reached") as caught:
        WebSource(place(f"{url}/m")).look("")
    assert not caught.value.is_final


def test_redirects_are_followed_without_what_is_secret() -> None:
    with serving(m=b"weights") as target, Server() as server:
        server.routes = lambda asked: (
            (302, {"location": f"{target.url}/m"}, b"")
            if asked.path == "/far"
            else (307, {"location": "/far"}, b"")
        )
        web = Web(headers={"Authorization": "Bearer secret"})
        with web.get(f"{server.url}/near") as answer:
            assert answer.read() == b"weights"
        assert [each.headers.get("authorization") for each in server.gets] == ["Bearer secret"] * 2
        assert "authorization" not in target.gets[0].headers
        assert target.gets[0].headers["host"] == f"127.0.0.1:{target.port}"


@pytest.mark.parametrize(
    ("location", "words"),
    [("file:///etc/passwd", "not followed"), ("ftp://h/x", "not followed"), ("/m", "more than 5")],
)
def test_redirects_that_lead_astray_are_refused(location: str, words: str) -> None:
    def routes(_: Asked) -> tuple[int, dict[str, str], bytes]:
        return 302, {"location": location}, b""

    with Server() as server:
        server.routes = routes
        with pytest.raises(FetchError, match=words) as caught:
            WebSource(place(f"{server.url}/m")).look("")
    assert caught.value.is_final


@pytest.mark.parametrize("to", ["/mödel", "/a b", "/m%C3%B6del?q=ö"])
def test_letters_in_a_url_are_sent_as_they_must_be(to: str) -> None:
    with serving(**{"mödel": b"weights", "a b": b"weights"}) as server:
        assert looked(WebSource(place(f"{server.url}{quote(to, safe='/%?=')}"))).total == 7
        if " " not in to:
            assert looked(WebSource(place(f"{server.url}{to}"))).total == 7
        told = to.encode().decode("iso-8859-1")  # a header's bytes, as http.server writes them
        server.routes = lambda asked: (302, {"location": told}, b"") if asked.path == "/r" else None
        assert looked(WebSource(place(f"{server.url}/r"))).total == 7


def test_nothing_new_is_no_answer_to_who_has_nothing() -> None:
    with Server() as server:
        server.routes = lambda _: (304, {}, b"")
        with pytest.raises(FetchError, match="304, unasked"):
            WebSource(place(f"{server.url}/m")).look("")


@pytest.mark.parametrize("coding", ["", "Identity"])
def test_what_is_not_compressed_may_say_so(coding: str) -> None:
    with serving(m=File(b"x", headers={"content-encoding": coding})) as server:
        assert looked(WebSource(place(f"{server.url}/m"))).total == 1


def test_a_length_of_thousands_of_digits_is_more_than_any_limit() -> None:
    with serving(m=b"x") as server:
        server.routes = lambda _: (200, {"content-length": "9" * 5000}, b"x")
        assert (looked(WebSource(place(f"{server.url}/m"))).total or 0) > 1 << 60
