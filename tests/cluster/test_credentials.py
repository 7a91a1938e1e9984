import json
from typing import Any

import pytest

from cluster.credentials import API_VERSIONS, CredentialsError, parse

V1, V1BETA1 = API_VERSIONS


def answer(status: object, **changed: object) -> bytes:
    return json.dumps(
        {"kind": "ExecCredential", "apiVersion": V1, "status": status, **changed}
    ).encode()


def test_a_token_that_ends() -> None:
    found = parse(answer({"token": "t\n", "expirationTimestamp": "1970-01-01T00:01:40Z"}), V1)
    assert (found.token, found.expires_s) == ("t", 100.0)
    assert found.holds(99.9)
    assert not found.holds(100.0)


def test_a_token_without_an_end_holds() -> None:
    assert parse(answer({"token": "t", "expirationTimestamp": None}), V1).holds(1e12)


def test_a_certificate() -> None:
    found = parse(answer({"clientCertificateData": "c", "clientKeyData": "k"}), V1)
    assert (found.certificate, found.key, found.token) == (b"c", b"k", "")


def test_secrets_are_not_shown() -> None:
    status = {"token": "hidden", "clientCertificateData": "c", "clientKeyData": "concealed"}
    shown = repr(parse(answer(status), V1))
    assert "hidden" not in shown
    assert "concealed" not in shown


def test_the_answer_is_of_the_version_that_was_asked_for() -> None:
    assert parse(answer({"token": "t"}, apiVersion=V1BETA1), V1BETA1).token == "t"
    with pytest.raises(CredentialsError, match="v1beta1; asked for was client"):
        parse(answer({"token": "t"}, apiVersion=V1BETA1), V1)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b" \n", "printed nothing"),
        (b"token", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "no ExecCredential"),
        (answer({"token": "t"}, kind="Status"), "no ExecCredential"),
        (answer(None), "no status"),
        (answer({}), "neither a token nor a certificate"),
        (answer({"token": ""}), "neither a token nor a certificate"),
        (answer({"token": 7}), "status.token of its ExecCredential is not a string"),
        (answer({"token": "t", "clientKeyData": "secret"}), "and not both"),
        (answer({"token": "t", "expirationTimestamp": "soon"}), "'soon'"),
        (answer({"token": "t", "expirationTimestamp": "2026-01-01T00:00:00"}), "no time"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(raw: bytes, words: str) -> None:
    with pytest.raises(CredentialsError, match=words) as refused:
        parse(raw, V1)
    assert "secret" not in str(refused.value)


def test_unknown_fields_are_let_be() -> None:
    more: dict[str, Any] = {"token": "t", "later": {"x": 1}}
    assert parse(answer(more, spec={"interactive": False}), V1).token == "t"
