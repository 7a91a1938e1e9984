import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from api.kinds import PODS
from cluster.direct import DirectClient
from cluster.events import EventRecorder
from embedded.apiserver import ApiServer
from embedded.podstatus import ContainerFate, running
from embedded.residence import Residence, Surroundings
from embedded.sources import Sources
from embedded.store import IN_MEMORY, Store
from embedded.turns import Turns

READY = ContainerFate(state=running("2026-11-22T00:00:00Z"), is_ready=True)
UNREADY = ContainerFate(state=running("2026-11-22T00:00:00Z"))
ENDPOINT = "relight.dev/endpoint"


@dataclass
class House:
    client: DirectClient
    around: Surroundings
    folder: Path
    released: list[str] = field(default_factory=list)

    async def home(self, *names: str, **fields: Any) -> Residence:
        containers = [{"name": name, "image": "x", "command": ["x"], **fields} for name in names]
        made = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "default"},
            "spec": {"containers": containers},
        }
        return Residence(await self.client.create(PODS, made), self.around, self.folder)

    async def endpoint(self) -> str | None:
        pod = await self.client.get(PODS, "default", "p")
        found: str | None = (pod["metadata"].get("annotations") or {}).get(ENDPOINT)
        return found


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = Store(IN_MEMORY)
    client = DirectClient(ApiServer(store, clock=lambda: 0.0, rng=random.Random(1)))
    released: list[str] = []

    async def release(_namespace: str, name: str) -> None:
        released.append(name)

    nobody: Any = None
    around = Surroundings(
        client=client,
        zygote=nobody,
        models=nobody,
        turns=Turns(at_once_max=1, longest_s=1.0),
        events=EventRecorder(client, "kubelet", clock=lambda: 0.0),
        sources=Sources(client),
        run_dir=tmp_path,
        work_dir=tmp_path,
        base_env={"A": "1"},
        clock=lambda: 0.0,
        release=release,
    )
    yield House(client, around, tmp_path, released)
    store.close()


async def test_an_address_is_told_at_once_where_its_process_decides(house: House) -> None:
    home = await house.home("a")
    assert home.is_told_early
    await home.announce("tcp:127.0.0.1:1")
    assert await house.endpoint() == "tcp:127.0.0.1:1"


async def test_an_address_is_told_while_all_are_ready_and_then_only(house: House) -> None:
    home = await house.home("a", "b")
    await home.announce("tcp:127.0.0.1:1")
    await home.report("a", READY)
    assert await house.endpoint() is None
    await home.report("b", READY)
    assert await house.endpoint() == "tcp:127.0.0.1:1"
    await home.report("b", UNREADY)
    assert await house.endpoint() is None


async def test_a_probe_of_ones_own_withholds_the_address(house: House) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}}
    assert not (await house.home("a", readinessProbe=probe)).is_told_early


async def test_containers_beside_each_other_know_each_others_ports(house: House) -> None:
    home = await house.home("a", "b-c")
    told = [home.base_env[f"RELIGHT_PORT_{name}"] for name in ("A", "B_C")]
    assert told == [str(home.port_of({"name": name})) for name in ("a", "b-c")]
    assert len(set(told)) == 2
    assert home.base_env["A"] == "1"


async def test_the_activator_lets_go_once(house: House) -> None:
    home = await house.home("a", "b")
    await home.release()
    await home.release()
    assert house.released == ["p"]


async def test_a_pod_that_is_gone_is_told(house: House) -> None:
    home = await house.home("a")
    told: list[bool] = []
    home.is_vanished = lambda: told.append(True)
    await house.client.delete(PODS, "default", "p", grace_period_s=0)
    await home.report("a", READY)
    assert told == [True]


async def test_a_change_of_what_it_refers_to_wakes_who_waits(house: House) -> None:
    source = {"configMapKeyRef": {"name": "words", "key": "k"}}
    home = await house.home("a", env=[{"name": "A", "valueFrom": source}])
    assert home.refers
    change = home.change
    home.changed("ConfigMap", "default", "others")
    home.changed("ConfigMap", "elsewhere", "words")
    assert not change.is_set()
    home.changed("ConfigMap", "default", "words")
    assert change.is_set()
    assert not home.change.is_set()


@pytest.mark.parametrize(
    ("ours", "devices", "seen"),
    [
        ({}, (0, 2), "0,2"),
        ({"CUDA_VISIBLE_DEVICES": "4, GPU-7"}, (1,), "GPU-7"),
        ({"CUDA_VISIBLE_DEVICES": "4,5"}, (), "4,5"),
    ],
)
async def test_its_gpus_are_some_of_those_that_the_platform_sees(
    house: House, ours: dict[str, str], devices: tuple[int, ...], seen: str
) -> None:
    pod = (await house.home("a")).pod
    around = replace(house.around, base_env=ours)
    home = Residence(pod, around, house.folder, devices=devices)
    assert home.base_env["CUDA_VISIBLE_DEVICES"] == seen
