from pathlib import Path

import pytest

from api import kinds
from cluster import errors
from cluster.credentials import CredentialsError
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
    assert err.startswith(f"relight: no platform is running for {platform.folder}: start one with")


def test_credentials_that_are_refused_are_said_to_be() -> None:
    told = explain(errors.UnauthorizedError("Unauthorized"), "/home/ada/.kube/config")
    assert told.exit_code == Exit.FAILED
    assert str(told).startswith("the API server of /home/ada/.kube/config does not take your cred")


def test_a_plugin_that_fails_is_who_typed_to_mend() -> None:
    error = errors.UnavailableError("the credential plugin x of user 'ada': it failed")
    error.__cause__ = CredentialsError(error.message)
    assert explain(error, "/data").exit_code == Exit.USAGE


def test_a_cluster_that_does_not_answer_is_no_platform_to_start() -> None:
    error = errors.UnavailableError("GET https://x/version: Connection refused (x port 443)")
    error.__cause__ = ConnectionRefusedError()
    told = explain(error, "/data", is_cluster=True)
    assert (told.exit_code, str(told)) == (
        Exit.UNREACHABLE,
        f"the API server of /data does not answer: {error.message}",
    )
