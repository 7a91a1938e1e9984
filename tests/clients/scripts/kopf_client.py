"""A kopf operator over our kinds: what it is told of creation, change and end."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import facts
from kubernetes import client, config

NAMESPACE = facts.NAMESPACE
OPERATOR = Path(__file__).parent / "kopf_operator.py"
GADGETS = ("clients.example.com", "v1", "gadgets")


class Operator:
    """`kopf run` as a process of its own."""

    def __init__(self, folder: Path, *args: str) -> None:
        self._notes = folder / "notes"
        self._log = folder / "log"
        scope = ["--namespace", NAMESPACE]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kopf", "run", *scope, *args, str(OPERATOR)],
                env={
                    **os.environ,
                    "KUBECONFIG": facts.KUBECONFIG,
                    "OPERATOR_NOTES": str(self._notes),
                },
                stdout=log,
                stderr=log,
            )

    def notes(self, handler: str, name: str) -> list[dict[str, Any]]:
        if not self._notes.exists():
            return []
        lines = self._notes.read_text().splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [each for each in found if (each["handler"], each["name"]) == (handler, name)]

    def log(self) -> str:
        return self._log.read_text()

    def has_said(self, text: str) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"kopf ended: {self.log()[-3000:]}")
        return text in self.log()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(facts.DEADLINE_S)


def lifecycle(
    operator: Operator, at: tuple[str, str, str], body: dict[str, Any], change: dict[str, Any]
) -> dict[str, Any]:
    """One object, from creation to its end, as the operator sees it."""
    api, name = client.CustomObjectsApi(), body["metadata"]["name"]
    where = (*at[:2], NAMESPACE, at[2], name)

    def note(handler: str) -> dict[str, Any]:
        return facts.until(lambda: operator.notes(handler, name), f"{handler} of {name}")[0]

    def read() -> dict[str, Any]:
        return api.get_namespaced_custom_object(*where)

    def is_gone() -> bool:
        try:
            read()
        except client.ApiException as error:
            return error.status == 404
        return False

    def seen() -> dict[str, Any] | None:
        found = read()
        annotations = found["metadata"].get("annotations", {})
        return found if "clients.example.com/seen" in annotations else None

    api.create_namespaced_custom_object(*where[:4], body)
    note("create")
    annotated = facts.until(seen, f"the annotation of {name}")
    facts.until(
        lambda: "kopf.zalando.org/last-handled-configuration" in read()["metadata"]["annotations"],
        f"kopf to be done with {name}",
    )
    api.patch_namespaced_custom_object(*where, change)
    diff = note("update")["diff"]
    note("timer")
    finalizers = annotated["metadata"]["finalizers"]
    api.delete_namespaced_custom_object(*where)
    is_going = note("delete")["is_going"]
    facts.until(is_gone, f"the end of {name}")
    return {"finalizers": finalizers, "diff": diff, "is_going": is_going}


def own_kind() -> dict[str, Any]:
    """An operator's own kind, whose status nobody else writes."""
    api = client.CustomObjectsApi()
    at = (*GADGETS[:2], NAMESPACE, GADGETS[2])
    api.create_namespaced_custom_object(
        *at,
        {
            "apiVersion": "clients.example.com/v1",
            "kind": "Gadget",
            "metadata": {"name": "sized"},
            "spec": {"size": 21},
        },
    )
    status = facts.until(
        lambda: api.get_namespaced_custom_object(*at, "sized").get("status", {}), "its status"
    )
    api.delete_namespaced_custom_object(*at, "sized")
    return {"doubled": status.get("doubled"), "returned": status.get("sized")}


def run(operator: Operator) -> dict[str, Any]:
    facts.until(lambda: operator.has_said("Initial authentication has finished"), "kopf to begin")
    ksvc = facts.ksvc("kopf-ksvc", operated="yes", client="kopf")
    isvc = facts.isvc("kopf-isvc", operated="yes")
    gadget = {
        "apiVersion": "clients.example.com/v1",
        "kind": "Gadget",
        "metadata": {"name": "operated", "labels": {"operated": "yes"}},
        "spec": {},
    }
    concurrency = {"spec": {"template": {"spec": {"containerConcurrency": 2}}}}
    return {
        "ksvc": lifecycle(operator, facts.SERVING, ksvc, concurrency),
        "isvc": lifecycle(operator, facts.KSERVE, isvc, {"spec": {"predictor": {"timeout": 42}}}),
        "gadget": lifecycle(operator, GADGETS, gadget, {"spec": {"word": "x"}}),
        "own": own_kind(),
        "conditions": bool(operator.notes("field", "kopf-ksvc")),
    }


def main() -> None:
    config.load_kube_config(facts.KUBECONFIG)
    definitions = client.ApiextensionsV1Api()
    definition = facts.definition("gadgets", "Gadget")
    definitions.create_custom_resource_definition(definition)
    with tempfile.TemporaryDirectory() as folder:
        operator = Operator(Path(folder), *facts.SETTINGS["kopf"])
        try:
            found = run(operator)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {operator.log()[-4000:]}") from error
        finally:
            code = operator.stop()
        errors = [line for line in operator.log().splitlines() if "ERROR" in line]
    definitions.delete_custom_resource_definition(definition["metadata"]["name"])
    facts.tell(**found, errors=errors, code=code)


main()
