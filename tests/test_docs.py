"""What users can type or read stands in docs/, and what stands there exists."""

import argparse
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest

from activator import process as activator
from api import keys
from autoscaler import process as autoscaler
from controller import process as controller
from predictor import config as predictor_config
from relight import doctor, install, record, simulate, uninstall, up, why

ROOT = Path(__file__).parent.parent
REFERENCE = (ROOT / "docs/reference.md").read_text()
# Spellings that are parts of keys, not keys.
PARTS = {"AUTOSCALING_PREFIX", "KSERVE_PREFIX", "SERVING_PREFIX"}


def public_keys() -> dict[str, str]:
    found = {name: value for name, value in vars(keys).items() if name.isupper()}
    return {name: value for name, value in found.items() if name not in PARTS}


@pytest.mark.parametrize("name", public_keys())
def test_every_key_is_documented(name: str) -> None:
    assert f"`{public_keys()[name]}`" in REFERENCE


def test_every_flag_of_a_predictor_is_documented() -> None:
    flags = set(re.findall(r"--[a-z][a-z-]+", predictor_config.usage()))
    assert flags
    assert [flag for flag in flags if flag not in REFERENCE] == []


def test_every_flag_of_up_is_documented() -> None:
    subparsers = argparse.ArgumentParser().add_subparsers()
    up.add_parser(subparsers)
    flags = set(re.findall(r"--[a-z][a-z-]+", subparsers.choices["up"].format_help())) - {"--help"}
    assert flags
    assert [flag for flag in flags if f"{flag}" not in REFERENCE] == []


@pytest.mark.parametrize("process", [activator, autoscaler, controller])
def test_every_flag_of_a_component_is_documented(
    process: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # no flag is broken at the end of a line
    with pytest.raises(SystemExit), redirect_stdout(StringIO()) as told:
        process.parse(["--help"])
    flags = set(re.findall(r"--[a-z][a-z-]+", told.getvalue())) - {"--help"}
    assert {"--kubeconfig", "--admin-port"} < flags
    assert [flag for flag in flags if flag not in REFERENCE] == []


@pytest.mark.parametrize("verb", [simulate, record, why])
def test_every_flag_of_a_rehearsal_is_documented(verb: ModuleType) -> None:
    subparsers = argparse.ArgumentParser().add_subparsers()
    verb.add_parser(subparsers)
    [parser] = subparsers.choices.values()
    flags = set(re.findall(r"--[a-z][a-z-]+", parser.format_help()))
    assert {"--data-dir"} < flags
    assert [flag for flag in flags - {"--help"} if flag not in REFERENCE] == []


@pytest.mark.parametrize("verb", [install, uninstall, doctor])
def test_every_flag_of_a_verb_of_clusters_is_documented(verb: ModuleType) -> None:
    subparsers = argparse.ArgumentParser().add_subparsers()
    verb.add_parser(subparsers)
    [parser] = subparsers.choices.values()
    flags = set(re.findall(r"--[a-z][a-z-]+", parser.format_help()))
    assert {"--kubeconfig"} < flags
    assert [flag for flag in flags - {"--help"} if flag not in REFERENCE] == []


def test_every_setting_of_a_cluster_is_documented() -> None:
    text = (ROOT / "manifests/600-components/settings.yaml").read_text()
    settings = re.findall(r"^  ([A-Z_]+):", text, re.MULTILINE)
    assert settings
    assert [each for each in settings if f"`{each}`" not in REFERENCE] == []


def links() -> list[tuple[str, str]]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        (str(page.relative_to(ROOT)), target)
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    ]


@pytest.mark.parametrize(("page", "target"), links())
def test_links_lead_somewhere(page: str, target: str) -> None:
    assert (ROOT / page).parent.joinpath(target).exists()


def test_anchors_are_headings() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {path}#{anchor}"
        for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
        for path, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text())
        if anchor not in headings((page.parent / path) if path else page)
    ]
    assert dead == []


def headings(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in found}


def test_the_code_map_names_every_folder() -> None:
    architecture = (ROOT / "docs/architecture.md").read_text()
    folders = [p.parent.name for p in ROOT.glob("*/__init__.py") if p.parent.name != "tests"]
    assert folders
    assert [name for name in folders if f"**`{name}/`**" not in architecture] == []


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs/decisions/README.md").read_text()
    pages = [p.name for p in (ROOT / "docs/decisions").glob("[0-9]*.md")]
    assert pages
    assert [name for name in pages if name not in listed] == []


def test_make_help_lists_every_verb() -> None:
    makefile = (ROOT / "Makefile").read_text()
    verbs = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    assert {
        "setup",
        "demo",
        "test",
        "check",
        "sim",
        "clients",
        "bench",
        "up",
        "docs",
        "help",
    } <= verbs
