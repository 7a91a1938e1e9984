import base64
from pathlib import Path
from typing import Any

import pytest

from api.storage_uris import FetchFailedError
from embedded.environment import MissingError
from embedded.fetchcredentials import found

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "gcs", "namespace": "default"},
    "data": {"key.json": base64.b64encode(b"{}").decode()},
}
NAME = "GOOGLE_APPLICATION_CREDENTIALS"
ENV = {NAME: "/var/secrets/key.json", "PATH": "/bin", "HF_TOKEN": "t"}


def pod(**volume: Any) -> dict[str, Any]:
    spec = {"volumes": [{"name": "v", **volume}] if volume else []}
    return {"metadata": {"name": "p", "namespace": "default"}, "spec": spec}


def container(**mount: Any) -> dict[str, Any]:
    outer = {"name": "other", "mountPath": "/var"}
    return {"volumeMounts": [outer, {"name": "v", "mountPath": "/var/secrets", **mount}]}


def lookup(kind: str, name: str) -> Any:
    return SECRET if (kind, name) == ("Secret", "gcs") else None


def test_a_file_of_a_secrets_volume_is_there_while_it_lasts() -> None:
    of_secret = pod(secret={"secretName": "gcs"})
    with found(ENV, of_secret, container(), lookup) as told:
        path = Path(told[NAME])
        assert path.read_bytes() == b"{}"
        assert path.parent.stat().st_mode & 0o077 == 0
        assert told == {NAME: str(path), "HF_TOKEN": "t"}
    assert not path.exists()


def test_what_is_the_machines_is_left_alone() -> None:
    env = {NAME: "/home/me/key.json"}
    with found(env, pod(), container(), lookup) as told:
        assert told == env


@pytest.mark.parametrize(
    ("made", "mount", "error", "words"),
    [
        (pod(hostPath={"path": "/x"}), {}, FetchFailedError, 'is in volume "v"'),
        (pod(), {}, FetchFailedError, 'is in volume "v"'),
        (pod(secret={"secretName": "none"}), {}, MissingError, 'secret "none" not found'),
        (pod(secret={"secretName": "gcs"}), {"subPath": "a"}, FetchFailedError, "there is no"),
    ],
)
def test_what_is_not_there_is_told(
    made: dict[str, Any], mount: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words), found(ENV, made, container(**mount), lookup):
        pass
