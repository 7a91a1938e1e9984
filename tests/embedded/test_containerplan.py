from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from embedded.containerplan import ContainerPlan, Start
from embedded.launching import CommandLaunch, PredictorLaunch, Refusal
from embedded.mounts import Mount
from embedded.podlog import PodLog
from embedded.residence import Residence
from tests.embedded.test_residence import House, house

__all__ = ["house"]


async def plan_of(house: House, *, is_init: bool = False, **fields: Any) -> ContainerPlan:
    home = await house.home("a", **fields)
    return ContainerPlan(home.spec["containers"][0], home, is_init=is_init)


async def started(house: House, **fields: Any) -> tuple[ContainerPlan, Start]:
    plan = await plan_of(house, **fields)
    start = plan.next()
    assert isinstance(start, Start)
    return plan, start


async def test_a_plain_command_stays_where_the_platform_is(house: House) -> None:
    plan, start = await started(house, args=["$(PORT)"])
    assert isinstance(start.launch, CommandLaunch)
    assert start.launch.argv == ("x", str(start.port))
    assert start.confinement == ""
    request = plan.request(start, ("y",))
    assert request["argv"] == ("y",)
    assert request["cwd"] == str(house.folder)
    assert request["env"] == {"A": "1", "PORT": str(start.port)}
    assert "confinement" not in request


async def test_what_runs_first_has_no_port(house: House) -> None:
    plan = await plan_of(house, is_init=True, livenessProbe={"tcpSocket": {}})
    start = plan.next()
    assert isinstance(start, Start)
    assert start.port == 0
    assert start.launch.env == {}
    assert not plan.is_serving
    assert plan.probes() == []


async def test_a_working_directory_is_taken(house: House) -> None:
    plan, start = await started(house, workingDir="/srv")
    assert plan.request(start, ("y",))["cwd"] == "/srv"


async def test_an_image_that_is_not_ours_is_refused(house: House) -> None:
    assert isinstance((await plan_of(house, command=[])).next(), Refusal)


async def test_last_words_have_a_place_and_an_order(house: House, tmp_path: Path) -> None:
    plan, start = await started(house, terminationMessagePath="/mnt/last-words")
    facts = orjson.loads(Path(start.confinement).read_bytes())
    operation, source, target = facts["steps"][-1]
    assert (operation, target) == ("bind", "/mnt/last-words")
    log = PodLog(tmp_path, "p", "c")
    with log.open() as output:
        output.write(b"logged\n")
    assert plan.message(log, is_error=True) == "logged"
    log.failure = "said of itself"
    assert plan.message(log, is_error=True) == "said of itself"
    Path(source).write_text("written for us")
    assert plan.message(log, is_error=True) == "written for us"


@pytest.mark.parametrize(
    ("fields", "words"),
    [({}, "logged"), ({"terminationMessagePolicy": "File"}, "")],
)
async def test_the_log_stands_in_unless_only_the_file_counts(
    house: House, tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    plan = await plan_of(house, **fields)
    log = PodLog(tmp_path, "p", "c")
    with log.open() as output:
        output.write(b"logged\n")
    assert plan.message(log, is_error=True) == words


async def test_a_default_readiness_needs_no_probe_and_others_do(house: House) -> None:
    probe = {"exec": {"command": ["true"]}}
    plan = await plan_of(house, readinessProbe=probe, livenessProbe={"tcpSocket": {}})
    assert [each.kind for each in plan.probes()] == ["readiness", "liveness"]


NAMES = "iris-predictor.default.localhost, other.localhost"


def hosting(folder: Path, *, hosts: str = NAMES, no_mounts: str = "", mounts: Any = ()) -> Any:
    container = {"name": "kserve-container", "image": "x/y"}
    home = SimpleNamespace(
        spec={"containers": [container]},
        serving=0,
        folder=folder,
        pod={"metadata": {"annotations": {"relight.dev/hosts": hosts} if hosts else {}}},
        files=SimpleNamespace(mounts=lambda *_, **__: list(mounts)),
        around=SimpleNamespace(
            machine=lambda: SimpleNamespace(
                no_mounts=no_mounts, owner=SimpleNamespace(is_root=True, uid=0, gid=0, groups=())
            )
        ),
    )
    return ContainerPlan(container, home, is_init=False)  # type: ignore[arg-type] # as far as it looks


def test_names_lead_to_this_machine_in_a_table_of_the_processes_own(tmp_path: Path) -> None:
    mount = hosting(tmp_path)._hosts(["a.localhost", "b.localhost"])
    assert mount.target == str(Path("/etc/hosts").resolve())
    assert (mount.is_dir, mount.is_read_only) == (False, True)
    lines = Path(mount.source).read_text().splitlines()
    assert lines[-1] == "127.0.0.1 a.localhost b.localhost"
    known = Path("/etc/hosts").read_text().rstrip().splitlines()
    assert lines[:-1] == known  # what the machine knows stays known


@pytest.mark.parametrize(
    ("hosts", "no_mounts", "wanted"),
    [
        (NAMES, "", ["iris-predictor.default.localhost", "other.localhost"]),
        (NAMES, "the kernel forbids it", []),
        ("", "", []),
    ],
)
def test_only_where_a_process_can_have_files(
    tmp_path: Path, hosts: str, no_mounts: str, wanted: list[str]
) -> None:
    made = hosting(tmp_path, hosts=hosts, no_mounts=no_mounts)
    assert made._host_names == wanted
    assert made._is_particular == bool(wanted)


def test_a_table_that_the_container_brings_is_left(tmp_path: Path) -> None:
    own = Mount(source=str(tmp_path), target="/etc/hosts", is_dir=False)
    file = hosting(tmp_path, mounts=[own])._confinement({})
    assert "127.0.0.1" not in Path(file).read_text()
    assert not (tmp_path / "kserve-container/hosts").exists()


class Pairs:
    """A store of models whose model is copied and whose transformer is as it says."""

    def __init__(self, around: str) -> None:
        self.around = around
        self.asked: list[tuple[str, ...]] = []

    async def prepare_pair(self, *asked: str) -> tuple[str, str]:
        self.asked.append(asked)
        return "/copies/m.onnx", self.around


@pytest.mark.parametrize("around", ["", "/copies/t.py"])
async def test_a_transformer_is_kept_with_its_model(house: House, around: str) -> None:
    models: Any = Pairs(around)
    home = await house.home("a")
    changed: Any = replace(home.around, models=models)
    home = Residence(home.pod, changed, house.folder)
    plan = ContainerPlan(home.spec["containers"][0], home, is_init=False)
    args = ("--model", "m.onnx", "--transformer", "code/t.py:Towns")
    launch = PredictorLaunch(
        args=args, env={}, model="m.onnx", code="", digest="sha256:a", transformer=args[-1]
    )
    request = await plan.predictor_request(launch, "")
    file = "/copies/t.py" if around else "code/t.py"
    assert request["args"] == ("--model", "/copies/m.onnx", "--transformer", f"{file}:Towns")
    assert models.asked == [("m.onnx", "", "code/t.py", "sha256:a")]
    assert plan.in_their_words("/copies/m.onnx is bad") == "m.onnx is bad"


async def test_another_user_reads_both_where_they_are_put(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: Any = Pairs("/copies/2/t.py")
    home = await house.home("a")
    changed: Any = replace(home.around, models=models)
    home = Residence(home.pod, changed, house.folder)
    plan = ContainerPlan(home.spec["containers"][0], home, is_init=False)
    monkeypatch.setattr(ContainerPlan, "_is_particular", True)
    monkeypatch.setattr(ContainerPlan, "_is_of_another_user", True)
    seen: list[Mount] = []

    def confinement(_plan: object, _env: object, *mounts: Mount) -> str:
        seen.extend(mounts)
        return "/c.json"

    monkeypatch.setattr(ContainerPlan, "_confinement", confinement)
    args = ("--python", "m.py:Mine", "--transformer", "t.py:Towns")
    launch = PredictorLaunch(
        args=args, env={}, model="", code="m.py:Mine", digest="sha256:a", transformer=args[-1]
    )
    request = await plan.predictor_request(launch, "")
    assert models.asked == [("", "m.py", "t.py", "sha256:a")]
    assert [(mount.source, mount.target) for mount in seen] == [
        ("/copies", "/mnt/relight-model"),
        ("/copies/2", "/mnt/relight-transformer"),
    ]
    assert request["args"][1] == "/mnt/relight-model/m.onnx:Mine"
    assert request["args"][3] == "/mnt/relight-transformer/t.py:Towns"
    assert request["confinement"] == "/c.json"
