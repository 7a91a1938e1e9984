"""What the images are made of: that it exists, and is what the components import."""

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack import image_requirements
from hack.image_requirements import COMPONENTS, VARIANTS, requirements

ROOT = Path(__file__).parent.parent.parent
CONTAINERFILE = (ROOT / "hack/images/Containerfile").read_text().replace("\\\n", " ")
SCRIPT = (ROOT / "hack/images.sh").read_text()
FOLDERS = re.findall(
    r'"([a-z]+)"', (ROOT / "pyproject.toml").read_text().split("packages = [")[1].split("]")[0]
)
# By the name they are imported as.
IMPORTED = {
    "yaml": "pyyaml",
    "google": "protobuf",
    "typing_extensions": "typing-extensions",
    "prometheus_client": "prometheus-client",
    "yarl": "aiohttp",  # whose addresses they are
}


def test_what_is_copied_exists() -> None:
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", CONTAINERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert {*FOLDERS, "manifests", "pyproject.toml"} - {"cluster_manifests"} <= set(sources)
    assert [each for each in sources if not (ROOT / each).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert [each for each in sources if f"!{each.split('/')[0]}" not in ignored] == []
    assert [each for each in sources if each.split("/")[0] not in SCRIPT] == []


def test_stages_are_made_before_they_are_used() -> None:
    made: set[str] = set()
    for image, name in re.findall(r"^FROM (\S+) AS (\S+)$", CONTAINERFILE, re.MULTILINE):
        assert image in made or image in ("${BASE}", "${BUILDER}"), image
        made.add(name)
    assert set(re.findall(r"COPY --from=(\S+)", CONTAINERFILE)) <= made
    assert set(COMPONENTS) <= made


def stages() -> dict[str, str]:
    parts = re.split(r"^FROM \S+ AS (\S+)$", CONTAINERFILE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", COMPONENTS)
def test_an_image_is_one_program_of_nobody_in_particular(name: str) -> None:
    found = re.findall(r'^ENTRYPOINT \["python3", "-m", "(\w+)"\]$', stages()[name], re.MULTILINE)
    assert found == [name]
    assert importlib.util.find_spec(f"{name}.__main__")
    base = stages()["predictor" if name == "predictor" else "control"]
    assert "\nUSER 65532:65532\n" in base
    assert "PYTHONDONTWRITEBYTECODE=1" in base


def imports(folder: str) -> Iterator[str]:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (each.name.partition(".")[0] for each in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


def needed(component: str) -> set[str]:
    """Third-party packages that a component imports, or one of our folders that it imports."""
    seen, todo = set(), [component]
    while todo:
        folder = todo.pop()
        if folder not in seen:
            seen.add(folder)
            todo += [each for each in set(imports(folder)) if each in FOLDERS]
    found = {each for folder in seen for each in imports(folder)}
    return found - set(FOLDERS) - set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", ["activator", "autoscaler", "controller"])
def test_a_component_of_the_control_path_finds_all_it_imports(name: str) -> None:
    wanted = {IMPORTED.get(each, each) for each in needed(name)}
    assert wanted <= set(COMPONENTS[name])


def test_the_control_path_carries_nothing_that_none_of_it_imports() -> None:
    wanted = {
        IMPORTED.get(each, each)
        for name in ("activator", "autoscaler", "controller")
        for each in needed(name)
    }
    assert set(COMPONENTS["activator"]) - wanted == set()


def test_the_predictor_finds_what_it_imports_beside_libraries_of_formats() -> None:
    known = {name for each in requirements("predictor", "mlflow") for name in [each]}
    names = {re.split(r"[^A-Za-z0-9-]", each)[0] for each in known}
    core = {"hpack", "httptools", "numpy", "orjson", "pyyaml", "typing-extensions", "uvloop"}
    assert core <= {IMPORTED.get(each, each) for each in needed("predictor")}
    assert core <= names


def test_requirements_are_those_of_the_project() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for component in COMPONENTS:
        for line in requirements(component):
            assert f'"{line}"' in text, f"{line} has no line in pyproject.toml"
    for variant in VARIANTS:
        found = requirements("predictor", variant)
        gpu = variant.startswith("gpu")
        assert any(each.startswith("onnxruntime-gpu") for each in found) is gpu
        assert any(each.startswith("onnxruntime>") for each in found) is not gpu
        assert not any("relight[" in each for each in found)


@pytest.mark.parametrize("words", [[], ["nobody"], ["activator", "gpu"], ["predictor", "tpu"]])
def test_what_does_not_exist_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert image_requirements.main(words) == 2
    assert "usage: " in capsys.readouterr().err


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "hack/images.sh", *words], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_script_names_every_image_and_refuses_others() -> None:
    assert run("--list").stdout.split() == [
        *COMPONENTS,
        *(f"predictor-{each}" for each in VARIANTS if each),
    ]
    done = run("predictor-tpu")
    assert (done.returncode, "no image predictor-tpu" in done.stderr) == (2, True)
    assert run("--with", "/no/such/tool").returncode == 2
    assert "--with docker|podman|buildah" in run("--help").stdout


def test_a_script_that_builds_needs_a_cluster(tmp_path: Path) -> None:
    tool = tmp_path / "tool.sh"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    done = run("--with", str(tool), "activator")
    assert (done.returncode, "--dir STATE" in done.stderr) == (2, True)
