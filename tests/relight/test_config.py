import argparse
import os
from pathlib import Path

import orjson
import pytest

from relight import config
from relight.config import Surroundings
from relight.errors import UnreachableError, UsageError
from tests.relight.conftest import kubeconfig

API = "http://127.0.0.1:1"


def around(tmp_path: Path, **environment: str) -> Surroundings:
    return Surroundings(environment=environment, folder=tmp_path, home=tmp_path / "home")


def arguments(**given: Path | str) -> argparse.Namespace:
    return argparse.Namespace(**{"data_dir": None, "kubeconfig": None, "context": "", **given})


def publish(folder: Path, **changes: object) -> None:
    told = {"api": API, "activator": "http://127.0.0.1:2", "domain": "localhost"}
    (folder / "relight.json").write_bytes(orjson.dumps({**told, "pid": os.getpid(), **changes}))
    (folder / "kubeconfig").write_text(kubeconfig(API))


def dead_pid() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_a_folder_is_looked_for_in_order(tmp_path: Path) -> None:
    named = around(tmp_path, RELIGHT_DATA_DIR="named")
    assert config.data_dir(Path("given"), named) == tmp_path / "given"
    assert config.data_dir(None, named) == tmp_path / "named"
    assert config.data_dir(None, around(tmp_path)) == tmp_path / "home/.local/share/relight"
    (tmp_path / ".relight").mkdir()
    assert config.data_dir(None, around(tmp_path)) == tmp_path / ".relight"


def test_a_running_platform_is_found_by_its_folder(tmp_path: Path) -> None:
    publish(tmp_path)
    location = config.locate(arguments(data_dir=tmp_path))
    assert location.address.url == API
    assert location.activator == "http://127.0.0.1:2"
    assert location.domain == "localhost"


@pytest.mark.parametrize("pid", [None, 0, -1, "x"])
def test_no_platform_is_one_sentence(pid: object, tmp_path: Path) -> None:
    if pid is not None:
        publish(tmp_path, pid=pid)
    with pytest.raises(UnreachableError) as caught:
        config.locate(arguments(data_dir=tmp_path))
    assert str(caught.value) == (
        f"no platform is running for {tmp_path}: start one with 'relight up', or name a cluster's "
        "kubeconfig (--kubeconfig FILE, $KUBECONFIG)"
    )


def test_a_killed_platform_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    publish(tmp_path, pid=dead_pid())
    with pytest.raises(UnreachableError):
        config.locate(arguments(data_dir=tmp_path))


def test_what_was_cut_short_while_it_was_written(tmp_path: Path) -> None:
    publish(tmp_path)
    (tmp_path / "relight.json").write_bytes(b'{"api": ')
    with pytest.raises(UnreachableError):
        config.locate(arguments(data_dir=tmp_path))


def test_a_kubeconfig_of_ours_has_the_activator_beside_it(tmp_path: Path) -> None:
    publish(tmp_path)
    location = config.locate(arguments(kubeconfig=tmp_path / "kubeconfig"))
    assert (location.address.url, location.activator) == (API, "http://127.0.0.1:2")


def test_a_kubeconfig_of_someone_else_has_none(tmp_path: Path) -> None:
    publish(tmp_path, api="http://127.0.0.1:3")
    location = config.locate(arguments(kubeconfig=tmp_path / "kubeconfig"))
    assert (location.activator, location.domain) == (None, None)


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{tmp_path}/no"):
        config.locate(arguments(kubeconfig=tmp_path / "no"))


def test_a_kubeconfig_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("{]")
    with pytest.raises(UsageError, match=f"{tmp_path}/x"):
        config.locate(arguments(kubeconfig=tmp_path / "x"))


def test_a_cluster_is_named_as_for_kubectl(tmp_path: Path) -> None:
    for name in ("given", "named", "other", "home/.kube/config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(kubeconfig(f"http://{Path(name).name}:1"))

    def found(given: str | None = None, **environment: str) -> str:
        args = arguments(**({"kubeconfig": Path(given)} if given else {}))
        return config.locate_cluster(args, around(tmp_path, **environment)).address.url

    assert found("given", KUBECONFIG="named") == "http://given:1"
    assert found(KUBECONFIG="named") == "http://named:1"
    assert found(KUBECONFIG="absent:other:named") == "http://other:1"
    assert found() == found(KUBECONFIG="") == "http://config:1"
    with pytest.raises(UsageError, match="absent"):
        found(KUBECONFIG="absent")


def test_where_nothing_runs_here_the_cluster_of_kubectl_is_meant(tmp_path: Path) -> None:
    (tmp_path / "cluster").write_text(kubeconfig("http://cluster:1"))
    named = around(tmp_path, KUBECONFIG="cluster")
    assert config.locate(arguments(), named).address.url == "http://cluster:1"
    assert config.locate(arguments(context="relight"), named).address.url == "http://cluster:1"
    with pytest.raises(UnreachableError, match="no platform is running"):
        config.locate(arguments(), around(tmp_path))
    # A folder that is named is meant, whatever kubectl would take.
    with pytest.raises(UnreachableError, match="no platform is running"):
        config.locate(arguments(data_dir=tmp_path), named)
    asked = around(tmp_path, KUBECONFIG="cluster", RELIGHT_DATA_DIR=str(tmp_path))
    with pytest.raises(UnreachableError, match="no platform is running"):
        config.locate(arguments(), asked)
    (tmp_path / ".relight").mkdir()
    publish(tmp_path / ".relight", pid=os.getpid())
    assert config.locate(arguments(), named).address.url == API
