from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from tests.relight.conftest import Platform


@pytest.fixture
async def one(platform: Platform, model: Path) -> Platform:
    """One Service with one replica."""
    await platform.type("deploy", "iris", "--model", str(model))
    return platform


@pytest.mark.parametrize("word", ["services", "service", "ksvc", "svc"])
async def test_services(word: str, one: Platform) -> None:
    code, out, _ = await one.type("get", word)
    assert code == 0
    header, line = out.splitlines()
    assert header.split() == (
        ["NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON", "TRAFFIC", "REPLICAS"]
    )
    url = (await one.service())["status"]["url"]
    assert line.split() == (
        f"iris {url} iris-00001 iris-00001 True <none> iris-00001=100% 1/1".split()
    )


async def test_other_kinds(one: Platform) -> None:
    for word, name in (("rev", "iris-00001"), ("po", "iris-00001-deployment-abc"), ("rt", "iris")):
        code, out, _ = await one.type("get", word)
        assert code == 0
        assert out.splitlines()[1].split()[0] == name


async def test_every_namespace_has_a_column(one: Platform) -> None:
    _, out, _ = await one.type("get", "pods", "-A")
    assert [line.split()[0] for line in out.splitlines()] == ["NAMESPACE", "default"]


async def test_wide_shows_more(one: Platform, model: Path) -> None:
    _, out, _ = await one.type("get", "services", "-o", "wide")
    assert str(model) in out


@pytest.mark.parametrize(("form", "load"), [("json", orjson.loads), ("yaml", yaml.safe_load)])
async def test_machines_get_the_objects(form: str, load: Any, one: Platform) -> None:
    _, out, _ = await one.type("get", "services", "-o", form)
    listed = load(out)
    assert listed["kind"] == "List"
    _, out, _ = await one.type("get", "services", "iris", "-o", form)
    assert load(out) == listed["items"][0]
    assert load(out) == without_owners(await one.service())


def without_owners(raw: dict[str, Any]) -> dict[str, Any]:
    return {**raw, "metadata": {k: v for k, v in raw["metadata"].items() if k != "managedFields"}}


async def test_names(one: Platform) -> None:
    _, out, _ = await one.type("get", "services", "-o", "name")
    assert out == "service.serving.knative.dev/iris\n"


async def test_nothing_is_said_to_be_nothing(platform: Platform) -> None:
    code, out, _ = await platform.type("get", "revisions")
    assert (code, out) == (0, "No revisions found in namespace default.\n")
    _, out, _ = await platform.type("get", "revisions", "-o", "json")
    assert orjson.loads(out)["items"] == []


async def test_a_name_that_is_not_there_is_1(platform: Platform) -> None:
    code, _, err = await platform.type("get", "services", "iris")
    assert code == 1
    assert '"iris" not found' in err
