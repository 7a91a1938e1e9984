import asyncio
import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from api import kinds
from cluster.errors import ConflictError, NotFoundError
from relight.errors import Exit
from tests.relight.conftest import Platform


async def test_a_model_is_deployed_and_its_url_printed(platform: Platform, model: Path) -> None:
    code, out, err = await platform.type("deploy", "iris", "--model", str(model))
    assert code == 0, err
    service = await platform.service()
    assert out == service["status"]["url"] + "\n"
    assert "Revision iris-00001 is ready and has 100 % of the traffic." in err
    assert "relight invoke iris --data @request.json" in err
    container = service["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["--model", str(model)]


async def test_progress_is_told_line_by_line_to_a_pipe(platform: Platform, model: Path) -> None:
    _, _, err = await platform.type("deploy", "iris", "--model", str(model))
    told = [line.rpartition(" (")[0] for line in err.splitlines() if line.endswith(" s)")]
    assert told[-1] == "Revision iris-00001: ready"
    assert len(told) == len(set(told))


async def test_the_same_again_makes_no_revision(platform: Platform, model: Path) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    before = await platform.service()
    code, _, err = await platform.type("deploy", "iris", "--model", str(model))
    assert code == 0
    assert "nothing to change" in err
    assert (await platform.service())["metadata"] == before["metadata"]


async def test_a_file_that_changed_makes_a_revision(platform: Platform, model: Path) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    model.write_bytes(b"better weights")
    code, _, err = await platform.type("deploy", "iris", "--model", str(model))
    assert code == 0
    assert "Revision iris-00002 is ready" in err


async def test_a_canary_leaves_the_rest_where_it_was(platform: Platform, model: Path) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    words = ("--concurrency", "4", "--canary", "20", "--tag", "next")
    code, _, err = await platform.type("deploy", "iris", *words)
    assert code == 0, err
    assert await platform.shares() == {"iris-00001": 80, "@latest": 20}
    assert "Revision iris-00002 is ready and has 20 % of the traffic (iris-00001 80 %)" in err


async def test_a_revision_that_fails_is_told_and_traffic_stays(
    platform: Platform, model: Path
) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    broken = model.with_name("broken.onnx")
    broken.touch()
    code, out, err = await platform.type("deploy", "iris", "--model", str(broken))
    assert (code, out) == (1, "")
    assert err.endswith(
        "relight: Revision iris-00002 failed: Container failed with: no ONNX model\n"
    )
    traffic = (await platform.service())["status"]["traffic"]
    assert [(t["revisionName"], t["percent"]) for t in traffic] == [("iris-00001", 100)]


async def test_what_never_becomes_ready_runs_into_the_limit(platform: Platform) -> None:
    words = ("--image", "me/app", "--command", "y")
    platform.controller.cancel()
    code, _, err = await platform.type("deploy", "iris", "--wait-timeout", "0.05", *words)
    assert code == 1
    assert "Service iris is not ready after 0.05 s" in err


async def test_not_waiting(platform: Platform, model: Path) -> None:
    platform.controller.cancel()
    code, out, err = await platform.type("deploy", "iris", "--model", str(model), "--no-wait")
    assert (code, out) == (0, "")
    assert err == "Service iris is stored; see 'relight get services iris -w'\n"


@pytest.mark.parametrize(("form", "load"), [("json", orjson.loads), ("yaml", yaml.safe_load)])
async def test_the_service_may_be_printed(
    form: str, load: Any, platform: Platform, model: Path
) -> None:
    code, out, _ = await platform.type("deploy", "iris", "--model", str(model), "-o", form)
    assert code == 0
    assert load(out)["status"]["latestReadyRevisionName"] == "iris-00001"


async def test_a_dry_run_changes_nothing(platform: Platform, model: Path) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    before = copy.deepcopy(await platform.service())
    code, out, _ = await platform.type("deploy", "iris", "--concurrency", "7", "--dry-run")
    assert code == 0
    planned = yaml.safe_load(out)
    assert planned["spec"]["template"]["spec"]["containerConcurrency"] == 7
    container = planned["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["--model", str(model)]
    assert await platform.service() == before


async def test_a_dry_run_needs_no_platform(platform: Platform, model: Path) -> None:
    (platform.folder / "relight.json").unlink()
    code, out, _ = await platform.type("deploy", "iris", "--model", str(model), "--dry-run")
    assert code == 0
    assert yaml.safe_load(out)["metadata"]["name"] == "iris"


async def test_bad_input_is_2_and_says_where(platform: Platform, model: Path) -> None:
    code, _, err = await platform.type("deploy", "iris", "--model", "no.onnx")
    assert code == 2
    assert f"{Path.cwd()}/no.onnx does not exist" in err
    code, _, err = await platform.type("deploy", "iris", "--concurrency", "1")
    assert code == 2
    assert "say what to run with --model, --python, --repository or --image" in err
    code, _, err = await platform.type("deploy", "iris", "--model", str(model), "--timeout", "601")
    assert code == 2
    assert "timeoutSeconds" in err


async def test_someone_else_writing_in_between_is_met_by_trying_again(
    platform: Platform, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    replace, refused = platform.server.replace, iter([True, True])

    def contended(resource: Any, *args: Any) -> Any:
        if resource is kinds.SERVICES and next(refused, False):
            raise ConflictError("the object has been modified")
        return replace(resource, *args)

    monkeypatch.setattr(platform.server, "replace", contended)
    code, _, err = await platform.type("deploy", "iris", "--concurrency", "2")
    assert code == 0, err
    template = (await platform.service())["spec"]["template"]
    assert template["spec"]["containerConcurrency"] == 2


async def test_someone_else_writing_for_ever_is_told(
    platform: Platform, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await platform.type("deploy", "iris", "--model", str(model))

    def contended(*_args: Any) -> Any:
        raise ConflictError("the object has been modified")

    monkeypatch.setattr(platform.server, "replace", contended)
    code, _, err = await platform.type("deploy", "iris", "--concurrency", "2")
    assert code == 1
    assert "was changed by others 5 times: try again" in err


async def test_a_service_deleted_while_it_is_waited_for(platform: Platform, model: Path) -> None:
    platform.controller.cancel()

    async def delete_it() -> None:
        while not (await platform.client.list(kinds.SERVICES, "default")).items:
            await asyncio.sleep(0)
        await platform.client.delete(kinds.SERVICES, "default", "iris")

    async with asyncio.TaskGroup() as group:
        group.create_task(delete_it())
        code, _, err = await platform.type("deploy", "iris", "--model", str(model))
    assert code == 1
    assert "Service iris was deleted" in err


async def test_a_file_of_this_machine_is_not_one_of_a_clusters(
    platform: Platform, model: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "elsewhere"
    alone.write_bytes((platform.folder / "kubeconfig").read_bytes())
    there = ("--kubeconfig", str(alone), "--no-wait")
    code, _, err = await platform.type("deploy", "iris", "--model", str(model), *there)
    assert code == Exit.USAGE
    assert f"{model} lies on this machine, and Pods of {alone} do not see it: give https://" in err
    with pytest.raises(NotFoundError):
        await platform.client.get(kinds.SERVICES, "default", "iris")
    # What may be in the image, and what is fetched, is taken.
    for what in (("--model", str(model), "--no-check"), ("--model", "s3://b/m")):
        assert (await platform.type("deploy", "iris", *what, *there))[0] == 0


async def test_a_repository_is_deployed_and_how_to_call_its_models_told(
    platform: Platform, model: Path
) -> None:
    words = ("deploy", "fleet", "--repository", str(model.parent))
    code, _, err = await platform.type(*words)
    assert code == 0, err
    assert "relight invoke fleet --model MODEL --data @request.json" in err
    assert "/v2/models/MODEL/infer" in err
    template = (await platform.service("fleet"))["spec"]["template"]
    assert template["spec"]["containers"][0]["args"] == ["--repository", str(model.parent)]
    (model.parent / "more.onnx").touch()
    assert "nothing to change" in (await platform.type(*words))[2], "it is found when asked for"
    code, _, err = await platform.type("deploy", "fleet", "--transformer", f"{model}:T")
    assert code == Exit.USAGE
    assert f"--transformer: it is around one model, not around a repository's ({words[2]}" in err


async def test_a_named_model_becomes_a_repository(platform: Platform, model: Path) -> None:
    await platform.type("deploy", "iris", "--model", str(model), "--model-name", "m")
    code, _, err = await platform.type("deploy", "iris", "--repository", str(model.parent))
    assert code == 0, err
    template = (await platform.service())["spec"]["template"]
    assert not (template.get("metadata") or {}).get("annotations"), "neither name nor digest"
    assert template["spec"]["containers"][0]["args"] == ["--repository", str(model.parent)]


async def test_a_repository_of_this_machine_is_not_one_of_a_clusters(
    platform: Platform, model: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "elsewhere"
    alone.write_bytes((platform.folder / "kubeconfig").read_bytes())
    what = ("--repository", str(model.parent), "--kubeconfig", str(alone), "--no-wait")
    code, _, err = await platform.type("deploy", "fleet", *what)
    assert code == Exit.USAGE
    assert f"--repository: {model.parent} lies on this machine, and Pods of {alone}" in err
    assert (await platform.type("deploy", "fleet", *what, "--no-check"))[0] == 0
