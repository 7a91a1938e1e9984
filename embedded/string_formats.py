"""The formats of strings that schemas may ask for, as Kubernetes checks them, and their patterns.

For: `format: date-time` and the like in the schema of a CRD. Other formats check nothing.
A pattern of a user's is asked in time linear in the text, as Kubernetes does: with Python's `re`
some take for ever, and everything else with them.
Must not know: schemas.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

_DURATION: Final = re.compile(r"[-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+)")
_LONG_DURATION: Final = re.compile(r"\d+\s*[a-zA-Z]+(\s*\d+\s*[a-zA-Z]+)*")
_HOSTNAME: Final = re.compile(
    r"(?=.{1,253}$)[a-zA-Z0-9_]([-a-zA-Z0-9_]{0,62})(\.[-a-zA-Z0-9_]{1,63})*"
)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_MAC: Final = re.compile(r"([0-9A-Fa-f]{2}[:-]){5}([0-9A-Fa-f]{2}[:-]){0,2}[0-9A-Fa-f]{2}")
_UUID: Final = (
    r"(?i)[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{0}[0-9a-f]{{3}}-?{1}[0-9a-f]{{3}}-?[0-9a-f]{{12}}"
)
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[-+]\d\d:?\d\d)")


def _parses(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            parse(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return test


def _matches(*patterns: str | re.Pattern[str]) -> Callable[[str], bool]:
    ready = [re.compile(each) for each in patterns]
    return lambda text: any(each.fullmatch(text) for each in ready)


def _is_uri(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme) or text.startswith("/")
    except ValueError:
        return False


def _is_date_time(text: str) -> bool:
    return bool(_DATE_TIME.fullmatch(text)) and _parses(
        lambda each: datetime.fromisoformat(each.upper().replace(" ", "T"))
    )(text)


_any_uuid = _matches(_UUID.format("[0-9a-f]", "[0-9a-f]"))
TESTS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date": _parses(date.fromisoformat),
    "date-time": _is_date_time,
    "datetime": _is_date_time,
    "duration": _matches(_DURATION, _LONG_DURATION),
    "byte": _parses(lambda text: base64.b64decode(text, validate=True)),
    "uri": _is_uri,
    "email": _matches(_EMAIL),
    "hostname": _matches(_HOSTNAME),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "ip": _parses(ipaddress.ip_address),
    "cidr": _parses(lambda text: ipaddress.ip_network(text, strict=False)),
    "mac": _matches(_MAC),
    "uuid": _any_uuid,
    "uuid3": _matches(_UUID.format("3", "[0-9a-f]")),
    "uuid4": _matches(_UUID.format("4", "[89ab]")),
    "uuid5": _matches(_UUID.format("5", "[89ab]")),
}


class PatternError(Exception):
    """A pattern that is no regular expression here."""


@lru_cache(maxsize=1024)
def searcher(pattern: str) -> Callable[[str], bool]:
    """What tells whether a pattern is somewhere in a text; PatternError.

    By the language of rules: its expressions never try twice, and are written as Kubernetes' are.
    """
    import cel

    program = cel.compile("text.matches(pattern)")

    def search(text: str) -> bool:
        return bool(program.execute({"text": text, "pattern": pattern}))

    try:
        search("")
    except RuntimeError as error:
        told = " ".join(str(error).split())
        raise PatternError(told.partition("not a valid regex: ")[2] or told) from error
    return search
