"""docs/operations.md says of a cluster what manifests and components say."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from activator import config as activator_config
from activator import process as activator
from activator.errors import Fault, sentence, status_of
from activator.throttler import Refusal
from autoscaler import config as autoscaler_config
from autoscaler import process as autoscaler
from cluster import flags, leading
from cluster.flags import Flag
from controller import config as controller_config
from controller import process as controller
from controller import webhook_running

ROOT = Path(__file__).parent.parent
MANIFESTS = ROOT / "manifests"
PAGE = (ROOT / "docs/operations.md").read_text()
FLAGS: dict[str, tuple[Flag, ...]] = {
    "activator": (*flags.COMMON, *activator.FLAGS),
    "autoscaler": (*flags.COMMON, *leading.FLAGS, *autoscaler.FLAGS),
    "controller": (*flags.COMMON, *leading.FLAGS, *controller.FLAGS, *webhook_running.FLAGS),
}
SETTINGS: dict[str, Any] = {
    "activator": activator_config.Settings,
    "autoscaler": autoscaler_config.Settings,
    "controller": controller_config.Settings,
}
SYMPTOMS_LEAST = 20


def section(title: str) -> str:
    """The text below a heading, up to the next one of its depth."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every row of tables, without their headings."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [re.split(r"\s*\|\s*", line)[1:-1] for line in lines]
    rules = [number for number, row in enumerate(cells) if set("".join(row)) <= set("-| ")]
    return [
        row for number, row in enumerate(cells) if number not in rules and number + 1 not in rules
    ]


def described() -> dict[str, list[str]]:
    found = [row for row in rows(section("Every setting")) if re.fullmatch(r"`[A-Z_]+`", row[0])]
    return {row[0].strip("`"): row[1:] for row in found}


def shipped() -> dict[str, str]:
    text = (MANIFESTS / "600-components/settings.yaml").read_text()
    data: dict[str, str] = yaml.safe_load(text)["data"]
    return data


def wired(component: str) -> dict[str, str]:
    """By flag, the setting that the Deployment of a component passes to it."""
    text = (MANIFESTS / f"600-components/{component}.yaml").read_text()
    return dict(re.findall(r"- (--[a-z-]+)=\$\((\w+)\)", text))


def test_every_setting_is_in_the_table_as_it_is_shipped() -> None:
    told = {
        name: "" if row[1] == "empty" else row[1].strip("`") for name, row in described().items()
    }
    assert told == shipped()


def test_every_setting_names_the_flags_it_becomes() -> None:
    expected = {
        (name, component, flag)
        for component in FLAGS
        for flag, name in wired(component).items()
        if name in shipped()
    }
    assert expected
    told = {
        (name, component, flag)
        for name, row in described().items()
        for components, flag in re.findall(r"([a-z, ]+) `(--[a-z-]+)`", row[0])
        for component in re.findall(r"[a-z]+", components)
    }
    assert told == expected


def defaults() -> Iterator[tuple[str, str, Any]]:
    for component, table in FLAGS.items():
        by_name = {flag.name: flag for flag in table}
        for name, setting in wired(component).items():
            if setting not in shipped():
                continue
            flag = by_name[name]
            attribute = flag.sets or name.removeprefix("--").replace("-", "_")
            found = SETTINGS[component]()
            own = getattr(found, attribute, None)
            yield setting, name, flag.default if flag.default is not None else own


@pytest.mark.parametrize(("setting", "flag", "default"), list(defaults()))
def test_a_setting_that_is_empty_is_the_default(setting: str, flag: str, default: Any) -> None:
    told = described()[setting][2].strip("`")
    if flag in ("--log-level", "--inside-network"):
        assert told in ("info", "this machine alone")
    elif default in (None, ""):
        assert told == "none"
    elif isinstance(default, bool):
        assert told == str(default).lower()
    elif isinstance(default, (int, float)):
        assert float(told) == default
    else:
        assert told == str(default)


@pytest.mark.parametrize("component", FLAGS)
def test_every_flag_is_told_of(component: str) -> None:
    text = section("Every setting")
    assert [flag.name for flag in FLAGS[component] if f"`{flag.name}`" not in text] == []


def test_every_flag_that_is_told_of_exists() -> None:
    known = {flag.name for table in FLAGS.values() for flag in table}
    text = "\n".join(" ".join(row[:2]) for row in rows(section("Every setting")))
    told = set(re.findall(r"`(--[a-z-]+)`", text))
    assert told
    assert told - known == set()


@pytest.mark.parametrize("why", [*Refusal, *Fault])
def test_every_refusal_has_a_remedy(why: Refusal | Fault) -> None:
    what = f"{status_of(why)} `{why.value}`"
    found = [row for row in rows(section("What to do when")) if f"`{why.value}`" in row[0]]
    assert found, what
    [row] = found
    assert str(status_of(why)) in row[0]
    assert row[2], "a remedy"
    if len(re.findall(r"`[A-Z]\w+`", row[0])) == 1:
        assert sentence(why.value).split(": {")[0] in row[0]


def test_every_symptom_has_a_remedy() -> None:
    found = rows(section("What to do when"))
    assert len(found) >= SYMPTOMS_LEAST
    assert [row[0] for row in found if len(row) != 3 or not row[0] or not row[2]] == []


def test_metrics_and_alerts_exist() -> None:
    reference = (ROOT / "docs/reference.md").read_text()
    metrics = set(re.findall(r"`(relight_[a-z_]+)`", PAGE))
    of_claims = {each for each in metrics if each.startswith("relight_autoscaler_claims")}
    assert metrics - of_claims
    assert [each for each in metrics - of_claims if f"`{each}`" not in reference] == []
    source = (ROOT / "autoscaler/metrics.py").read_text()
    names = {each.removeprefix("relight_").removesuffix("_total") for each in of_claims}
    assert [each for each in names if f'"{each}"' not in source] == []
    alerts = (MANIFESTS / "parts/prometheus-operator/alerts.yaml").read_text()
    known = set(re.findall(r"alert: (\w+)", alerts))
    assert known == set(re.findall(r"`(Relight[A-Z]\w+)`", PAGE))


def test_every_overlay_and_account_is_told_of() -> None:
    overlays = [each.name for each in (MANIFESTS / "parts").iterdir()]
    files = (MANIFESTS / "200-access").glob("*.yaml")
    accounts = [each.stem for each in files if "kind: ServiceAccount" in each.read_text()]
    assert {"ha", "minimal"} <= set(overlays)
    assert [each for each in overlays if f"\n| `{each}` |" not in section("Install")] == []
    assert [each for each in accounts if f"\n| `{each}` |" not in section("Security")] == []


def code() -> str:
    folders = ("activator", "api", "autoscaler", "cluster", "controller", "predictor", "relight")
    files = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    joined = "\n".join(path.read_text() for path in files)
    return re.sub(r'"\s*\n\s*f?"', "", joined)  # sentences over several lines


# Words of Kubernetes', not ours.
FOREIGN = (
    "secrets is forbidden",
    "unknown field",
    "no matches for kind",
    "failed calling webhook",
    "no endpoints available",
    "violates PodSecurity",
    "exceeded quota",
    "context deadline exceeded",
    "x509: certificate",
    "admission webhook",
    "No space left on device",
    "Permission denied",
    "connection refused",
)


def test_what_users_see_is_what_the_code_says() -> None:
    source = code()
    quoted = [
        text
        for row in rows(section("What to do when"))
        for text in re.findall(r"`([^`]+)`", row[0])
        if " " in text and not any(each in text for each in FOREIGN)
    ]
    parts = [part.strip(" :,(") for text in quoted for part in re.split(r"…|: |\(\w+\)", text)]
    pieces = [part for part in parts if " " in part and "/" not in part and "." not in part]
    assert pieces
    assert {piece for piece in pieces if piece not in source} == set()
