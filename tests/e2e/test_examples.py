"""examples/README.md types what a newcomer would; here every line of it is typed and compared."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import pytest

from examples.running import Answer, Platform, children_of, wait_until
from tests.e2e.conftest import ROOT, Kubectl, kubectl_for

pytestmark = pytest.mark.e2e

EXAMPLES = ROOT / "examples"
PAGE = (EXAMPLES / "README.md").read_text()
REQUESTS = 500
SOON_S = 60.0
# What may be left over: every kind that an example makes, or that is made for one.
KINDS = [
    *(f"/apis/serving.knative.dev/v1/{kind}s" for kind in ("service", "configuration")),
    *(f"/apis/serving.knative.dev/v1/{kind}s" for kind in ("revision", "route")),
    "/apis/serving.knative.dev/v1beta1/domainmappings",
    "/apis/autoscaling.internal.knative.dev/v1alpha1/podautoscalers",
    "/apis/serving.kserve.io/v1beta1/inferenceservices",
    "/apis/serving.kserve.io/v1alpha1/servingruntimes",
    "/apis/apps/v1/deployments",
    *("/api/v1/pods", "/api/v1/configmaps", "/api/v1/secrets", "/api/v1/namespaces"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of the page, and what it prints."""

    command: str
    wanted: str  # empty: not said
    is_soon: bool  # the page says to wait for it


def sessions() -> dict[str, list[Step]]:
    """By headline."""
    parts = re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return {name: steps(text) for name, text in parts}


def steps(text: str) -> list[Step]:
    (block,) = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        count = 1
        while count < len(lines) and lines[count].startswith("> "):
            count += 1
        command = "\n".join(line.removeprefix("> ") for line in lines[:count])
        wanted = "\n".join(lines[count:])
        found.append(Step(command=command, wanted=wanted, is_soon="# in a moment" in command))
    return found


SESSIONS = sessions()


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """One of its own: the examples' names are nobody else's, and nothing may be left."""
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as name:
        with Platform(Path(name) / "d", cwd=ROOT) as running:
            yield running
        assert running.process is not None
        assert running.process.returncode == 0, (Path(name) / "d/up.log").read_text()[-3000:]


@pytest.fixture
def kubectl(platform: Platform, kubectl_program: str) -> Kubectl:
    return kubectl_for(kubectl_program, platform)


@pytest.fixture
def shell(platform: Platform, kubectl_program: str) -> Callable[[str], tuple[int, str]]:
    """What the second terminal of the page does with a command: its exit code and its output."""
    if shutil.which("curl") is None:
        pytest.skip("no curl: apt-get install curl")
    path = f"{Path(kubectl_program).parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "KUBECONFIG": str(platform.kubeconfig)}
    port = platform.activator.rpartition(":")[2]

    def run(command: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", command.replace(":8080", f":{port}")],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        shown = done.stdout.replace(f":{port}", ":8080")
        return done.returncode, shown if done.returncode == 0 else shown + done.stderr

    return run


def is_as_told(output: str, wanted: str) -> bool:
    """Whether it is, with any text for `...` and any space for a space."""
    lines = [" ".join(line.split()) for line in wanted.splitlines()]
    pattern = r"\n".join(re.escape(line).replace(re.escape("..."), ".*") for line in lines)
    return bool(re.fullmatch(pattern, "\n".join(" ".join(e.split()) for e in output.splitlines())))


def everything(platform: Platform) -> set[str]:
    return {
        f"{kind} {found['metadata'].get('namespace')}/{found['metadata']['name']}"
        for kind in KINDS
        for found in platform.get(kind)["items"]
    }


def programs(platform: Platform) -> list[str]:
    """The examples' programs that run now."""
    assert platform.process is not None
    found = []
    for pid in children_of(platform.process.pid):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if "examples/programs" in command or "/srv/page" in command:
            found.append(command)
    return found


@pytest.mark.parametrize("name", SESSIONS)
def test_the_page_tells_the_truth(
    platform: Platform, shell: Callable[[str], tuple[int, str]], name: str
) -> None:
    if name == "sklearn-iris":
        pytest.importorskip("skops.io", reason="pip install 'relight[sklearn]'")
    before = everything(platform)
    assert SESSIONS[name][-1].command.startswith("kubectl delete ")
    for step in SESSIONS[name]:
        if step.command.startswith("kubectl delete -f ") and name in CHECKS:
            CHECKS[name](platform)
        said = [0, ""]

        def is_right(step: Step = step, said: list[object] = said) -> bool:
            code, output = said[:] = shell(step.command)
            is_silent = step.is_soon and not step.wanted  # such a wait is for nothing to be left
            if code or not (step.wanted or is_silent):
                return code == 0
            return is_as_told(output.rstrip("\n"), step.wanted)

        if step.is_soon:
            wait_until(is_right, SOON_S, step.command)
        else:
            assert is_right(), f"$ {step.command}\n{said[1]}\n-- but the page says\n{step.wanted}"
    wait_until(lambda: everything(platform) == before, SOON_S, "everything of it to be gone")
    wait_until(lambda: not programs(platform), SOON_S, "its programs to end")


# -- what a page can not show ------------------------------------------------------------------


def is_likely(count: int, share: float) -> bool:
    """Whether a fair split gives that count of REQUESTS but once in 100,000 times."""
    deviation = sqrt(REQUESTS * share * (1 - share))
    return abs(count - REQUESTS * share) < 4.5 * deviation


def asked(platform: Platform, host: str, path: str, body: object = None) -> list[Answer]:
    answers = [platform.request(host, path, body) for _ in range(REQUESTS)]
    assert {each.status for each in answers} == {200}
    return answers


def check_shares(platform: Platform) -> None:
    answers = asked(platform, "colours.default.localhost", "/")
    told = Counter(each.body for each in answers)
    assert set(told) == {b"Hello blue!\n", b"Hello green!\n"}
    assert is_likely(told[b"Hello green!\n"], 0.25)


def check_rolled_back(platform: Platform) -> None:
    path, body = "/v1/models/canary:predict", {"instances": [[36.6]]}
    answers = asked(platform, "canary-default.localhost", path, body)
    assert {each.headers["relight-revision"] for each in answers} == {"canary-predictor-00001"}


def check_batches(platform: Platform) -> None:
    path, body = "/v1/models/batched:predict", {"instances": [[100]]}
    found: list[int] = []

    def client() -> None:
        for _ in range(50):
            answer = platform.request("batched-default.localhost", path, body)
            assert answer.json() == {"predictions": [[212.0]]}
            batch = re.search(r'desc="(\d+) requests', answer.headers["server-timing"])
            assert batch
            found.append(int(batch[1]))

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)
    # So quick a model is asked one by one, if that is found to be faster: all say which.
    assert len(found) == 8 * 50
    assert set(found) <= set(range(1, 9))


CHECKS: dict[str, Callable[[Platform], None]] = {
    "batcher": check_batches,
    "blue-green": check_shares,
    "canary": check_rolled_back,
}


def manifests() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in EXAMPLES.rglob("*.yaml"))


def test_every_example_is_on_the_page_and_typed() -> None:
    typed = "\n".join(step.command for found in SESSIONS.values() for step in found)
    others = {f"examples/{name}.yaml" for name in ("echo", "fahrenheit", "wordcount")}
    assert others <= set(manifests())  # these by test_kubectl.py, as `-f examples/`
    assert [each for each in manifests() if each not in typed and each not in others] == []
    named = [*(Path(each).name for each in others), "load.py", "demo.py"]
    assert [name for name in named if f"`{name}`" not in PAGE] == []


def test_the_readme_types_what_the_page_does() -> None:
    lines = re.findall(r"^kubectl .*canary.*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    bare = [line.partition("  #")[0].strip() for line in lines]
    assert len(bare) == 6
    typed = {step.command.partition("  #")[0].strip() for step in SESSIONS["canary"]}
    assert [command for command in bare if command not in typed] == []


def test_every_file_on_the_page_exists() -> None:
    files = set(re.findall(r"examples/[\w./-]+\.(?:yaml|py)", PAGE))
    assert len(files) > len(SESSIONS)
    assert [each for each in files if not (ROOT / each).exists()] == []


def test_every_program_and_model_is_used() -> None:
    text = "".join((ROOT / each).read_text() for each in manifests())
    for path in (*EXAMPLES.glob("programs/[a-z]*.py"), *EXAMPLES.glob("models/*")):
        assert str(path.relative_to(ROOT)) in text


def test_an_example_as_its_output_is_compared() -> None:
    assert is_as_told("NAME   AGE\na-x1z  5s", "NAME AGE\na-... ...")
    assert not is_as_told("NAME   AGE\na-x1z  5s\nmore", "NAME AGE\na-... ...")
    assert steps("```console\n$ a \\\n>   b\nc\n$ d   # in a moment\n```\n") == [
        Step(command="a \\\n  b", wanted="c", is_soon=False),
        Step(command="d   # in a moment", wanted="", is_soon=True),
    ]
