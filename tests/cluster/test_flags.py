import argparse
from dataclasses import dataclass
from typing import Any

import pytest

from cluster import flags
from cluster.flags import COMMON, PORT, Flag, FlagError, listed, number, text, truth, whole

TABLE = (
    Flag("--port", PORT, "a port", 8080, "PORT"),
    Flag("--depth-max", whole(1), "how deep", metavar="N"),
    Flag("--wait-s", number(0.5, 60), "how long", metavar="SECONDS"),
    Flag("--is-fast", truth, "whether", default=False),
    Flag("--network", listed, "which", is_repeated=True, sets="networks", metavar="CIDR"),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    port: int = 1
    depth_max: int = 2
    wait_s: float = 3.0
    networks: tuple[str, ...] = ("here",)
    name: str = ""

    def __post_init__(self) -> None:
        if self.depth_max > 100:
            raise ValueError("depth_max: too deep")
        if "bad" in self.networks:
            raise ValueError("networks: no network")


def parse(*arguments: str) -> argparse.Namespace:
    return flags.parser("prog", "It does.", (*COMMON, *TABLE)).parse_args(arguments)


def filled(*arguments: str) -> Settings:
    return flags.filled(parse(*arguments), TABLE, Settings, name="x")


def test_what_is_not_said_is_the_flags_default_or_the_settings_own() -> None:
    assert filled() == Settings(port=8080, name="x")


def test_what_is_said_fills_the_settings() -> None:
    said = ("--port=9", "--depth-max", "7", "--wait-s=0.5", "--network=a,b", "--network", "c")
    assert filled(*said) == Settings(
        port=9, depth_max=7, wait_s=0.5, networks=("a", "b", "c"), name="x"
    )


def test_an_empty_value_says_nothing() -> None:
    assert filled("--port=", "--depth-max=", "--network=") == Settings(port=8080, name="x")
    assert parse("--log-level=").log_level == parse().log_level


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "x"], "prog: --port: expected a whole number, 0 to 65535, not 'x'"),
        (["--port", "-1"], "prog: --port: expected a whole number, 0 to 65535, not '-1'"),
        (["--port", "٣"], "prog: --port: expected a whole number"),
        (["--port", "9" * 5000], "prog: --port: expected a whole number"),
        (["--wait-s", "nan"], "prog: --wait-s: expected a number, 0.5 to 60, not 'nan'"),
        (["--wait-s", "0"], "prog: --wait-s: expected a number, 0.5 to 60, not '0'"),
        (["--is-fast", "yes"], "prog: --is-fast: expected true or false, not 'yes'"),
        (["--log-level", "loud"], "prog: --log-level: expected one of debug, info, warning"),
        (["--por", "1"], "prog: unrecognized arguments: --por 1"),
        (["--port"], "prog: --port: expected one argument"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_that_names_the_flag(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        parse(*arguments)
    assert raised.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(says)
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--depth-max=101"], "--depth-max: too deep"),
        (["--network=bad"], "--network: no network"),
    ],
)
def test_what_settings_refuse_names_the_flag(arguments: list[str], says: str) -> None:
    with pytest.raises(FlagError, match=f"^{says}$"):
        filled(*arguments)


@pytest.mark.parametrize(
    ("arguments", "namespace"),
    [
        ([], "relight-system"),
        (["--namespace=n"], "n"),
        (["--namespace=n", "--system-namespace=s"], "s"),
    ],
)
def test_our_own_objects_are_where_we_watch(arguments: list[str], namespace: str) -> None:
    assert flags.system_namespace(parse(*arguments)) == namespace


def test_help_tells_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    told: Any = capsys.readouterr().out
    for each in ("(default 8080)", "(default false)", "(default info)"):
        assert each in told
    assert "None" not in told
    assert text("x") == "x"
