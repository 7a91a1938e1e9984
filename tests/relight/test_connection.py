from pathlib import Path

import pytest

from api import kinds
from cluster import errors
from relight.connection import explain, find
from relight.errors import Exit
from tests.relight.conftest import Platform


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidError("spec.traffic"), Exit.USAGE),
        (errors.BadRequestError("denied the request"), Exit.USAGE),
        (errors.NotFoundError("no such thing"), Exit.FAILED),
        (errors.ForbiddenError("not you"), Exit.FAILED),
        (errors.UnavailableError("starting"), Exit.UNREACHABLE),
    ],
)
def test_what_a_refusal_means(error: errors.ApiError, code: Exit) -> None:
    told = explain(error, "/data")
    assert told.exit_code == code
    assert str(told) == error.message


def test_a_connection_that_fails_means_there_is_no_platform() -> None:
    error = errors.UnavailableError("GET http://127.0.0.1:1")
    error.__cause__ = ConnectionRefusedError()
    assert str(explain(error, "/data")).startswith("no platform is running for /data")


def test_a_slow_platform_is_not_said_to_be_none() -> None:
    error = errors.UnavailableError("GET http://127.0.0.1:1: TimeoutError()")
    error.__cause__ = TimeoutError()
    told = explain(error, "/data")
    assert (told.exit_code, str(told)) == (Exit.UNREACHABLE, error.message)


async def test_find_is_none_where_there_is_nothing(platform: Platform, model: Path) -> None:
    assert await find(platform.client, kinds.SERVICES, "default", "iris") is None
    await platform.type("deploy", "iris", "--model", str(model))
    found = await find(platform.client, kinds.SERVICES, "default", "iris")
    assert found is not None
    assert found["metadata"]["name"] == "iris"


async def test_a_platform_that_stopped_meanwhile(platform: Platform) -> None:
    address = (platform.folder / "kubeconfig").read_text()
    port = address.partition("127.0.0.1:")[2].split()[0]
    (platform.folder / "kubeconfig").write_text(address.replace(port, "1"))
    code, out, err = await platform.type("get", "services")
    assert (code, out) == (Exit.UNREACHABLE, "")
    assert err == (
        f"relight: no platform is running for {platform.folder}: start one with 'relight up'\n"
    )
