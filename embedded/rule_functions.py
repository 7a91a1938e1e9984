"""The functions that Kubernetes adds to CEL, as far as rules of CRDs use them.

For: lists, strings, regular expressions, URLs, addresses and quantities in rules.
Must not know: rules or schemas.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from api.quantities import FORM, parse
from embedded import string_formats

# Of the language itself, as the package names them; operators have no letter in front.
_OF_THE_LANGUAGE_WORDS: Final = (
    "size has all exists exists_one filter map contains startsWith endsWith matches int uint "
    "double string bool bytes duration timestamp type dyn getFullYear getMonth getDate "
    "getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds "
    "max min"
)
OF_THE_LANGUAGE: Final = frozenset(_OF_THE_LANGUAGE_WORDS.split())


def _is_sorted(items: Sequence[Any]) -> bool:
    return all(items[at] <= items[at + 1] for at in range(len(items) - 1))


def _index_of(items: Any, wanted: Any, start: int = 0) -> int:
    if isinstance(items, str):
        return items.find(wanted, start)
    return next((at for at in range(start, len(items)) if items[at] == wanted), -1)


def _last_index_of(items: Any, wanted: Any) -> int:
    if isinstance(items, str):
        return items.rfind(wanted)
    return next((at for at in range(len(items) - 1, -1, -1) if items[at] == wanted), -1)


def _find(text: str, pattern: str) -> str:
    # Asked first in linear time: what is nowhere is what takes for ever to look for.
    found = re.search(pattern, text) if string_formats.searcher(pattern)(text) else None
    return found[0] if found else ""


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    if not string_formats.searcher(pattern)(text):
        return []
    found = [each[0] for each in re.finditer(pattern, text)]
    return found if most < 0 else found[:most]


def _split(text: str, separator: str, most: int = -1) -> list[str]:
    if most in (0, 1):
        return [text] if most else []
    return text.split(separator, -1 if most < 0 else most - 1) if separator else list(text)


def _replace(text: str, old: str, new: str, most: int = -1) -> str:
    return text.replace(old, new, most)


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise ValueError(f"index out of range: {start}, {stop}")
    return text[start:stop]


def _char_at(text: str, at: int) -> str:
    return _substring(text, at, min(at + 1, len(text)))


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme) or text.startswith("/")


def _is(read: Callable[[str], Any]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return test


def _quantity(text: str) -> float:
    """A quantity as a number: rules compare them, and write none."""
    amount = parse(text)
    if amount is None:
        raise ValueError(FORM)
    return float(amount)


def _compare(one: float, other: float) -> int:
    return (one > other) - (one < other)


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "isSorted": _is_sorted,
    "sum": lambda items: sum(items),
    "min": lambda *items: min(items[0] if len(items) == 1 else items),
    "max": lambda *items: max(items[0] if len(items) == 1 else items),
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "find": _find,
    "findAll": _find_all,
    "split": _split,
    "join": lambda items, separator="": separator.join(items),
    "replace": _replace,
    "lowerAscii": lambda text: text.lower(),
    "upperAscii": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "charAt": _char_at,
    "substring": _substring,
    "isURL": _is_url,
    "isIP": _is(ipaddress.ip_address),
    "isCIDR": _is(ipaddress.ip_network),
    "quantity": _quantity,
    "isQuantity": lambda text: parse(text) is not None,
    "isGreaterThan": lambda one, other: one > other,
    "isLessThan": lambda one, other: one < other,
    "compareTo": _compare,
    "sign": lambda one: _compare(one, 0),
}
