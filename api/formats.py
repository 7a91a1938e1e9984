"""The forms of text that Kubernetes defines: names, keys, values, durations.

For: checking one string, with the sentence Kubernetes gives when it is wrong.
Must not know: which field the string stands in.
"""

import re

LABEL_LENGTH_MAX = 63
SUBDOMAIN_LENGTH_MAX = 253

_DNS_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_DNS_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_1123_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_ENV_NAME = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_TOO_LONG = "must be no more than {} characters"
_ALPHANUMERIC = (
    "must consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)


def _sentence(rule: str, pattern: str, *examples: str) -> str:
    # The two spaces before "or" are Kubernetes' own.
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"


_DNS_1035_RULE = _sentence(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character",
    _DNS_1035,
    "my-name",
    "abc-123",
)
_DNS_1123_RULE = _sentence(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character",
    _DNS_1123,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_RULE = _sentence(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character",
    _DNS_1123_SUBDOMAIN,
    "example.com",
)
_QUALIFIED_RULE = _sentence(_ALPHANUMERIC, _QUALIFIED, "MyName", "my.name", "123-abc")
_LABEL_VALUE_RULE = _sentence(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character",
    _LABEL_VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_ENV_NAME_RULE = _sentence(
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', "
    "or '.', and must not start with a digit",
    _ENV_NAME,
    "my.env-name",
    "MY_ENV.NAME",
    "MyEnvName1",
)


def _check(text: str, pattern: str, rule: str, length_max: int = LABEL_LENGTH_MAX) -> list[str]:
    found = [_TOO_LONG.format(length_max)] if len(text) > length_max else []
    if re.fullmatch(pattern, text) is None:
        found.append(rule)
    return found


def dns_1035_label(text: str) -> list[str]:
    """What is wrong with the name of an object or a tag; empty if nothing is."""
    return _check(text, _DNS_1035, _DNS_1035_RULE)


def dns_1123_label(text: str) -> list[str]:
    """What is wrong with the name of a container or a namespace."""
    return _check(text, _DNS_1123, _DNS_1123_RULE)


def dns_1123_subdomain(text: str) -> list[str]:
    """What is wrong with the name of most objects of Kubernetes' own, or a domain."""
    return _check(text, _DNS_1123_SUBDOMAIN, _SUBDOMAIN_RULE, SUBDOMAIN_LENGTH_MAX)


def domain_name(text: str) -> tuple[str, str] | None:
    """The part of a fully qualified domain name that is wrong, and why; None if none is."""
    name = text.removesuffix(".")
    found = dns_1123_subdomain(name)
    if found:
        return name, ",".join(found)
    labels = name.split(".")
    if len(labels) < 2:
        return name, "should be a domain with at least two segments separated by dots"
    return next(
        ((each, ",".join(wrong)) for each in labels if (wrong := dns_1123_label(each))), None
    )


def dns_1035_prefix(text: str) -> list[str]:
    """What is wrong with a `generateName`, which may end in a dash."""
    is_open = len(text) > 1 and text.endswith("-")
    return dns_1035_label(f"{text[:-1]}a" if is_open else text)


def qualified_name(text: str) -> list[str]:
    """What is wrong with a key of labels or annotations, or a reference to an object."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        tail = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a qualified name {_QUALIFIED_RULE} {tail}"]
    found = []
    if slash:
        if not prefix:
            found.append("prefix part must be non-empty")
        else:
            found += [f"prefix part {each}" for each in dns_1123_subdomain(prefix)]
    if not name:
        return [*found, "name part must be non-empty"]
    return found + [f"name part {each}" for each in _check(name, _QUALIFIED, _QUALIFIED_RULE)]


def label_value(text: str) -> list[str]:
    """What is wrong with the value of a label."""
    return _check(text, _LABEL_VALUE, _LABEL_VALUE_RULE)


def env_name(text: str) -> list[str]:
    """What is wrong with the name of an environment variable."""
    return [] if re.fullmatch(_ENV_NAME, text) else [_ENV_NAME_RULE]


_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # both of Unicode's micro signs, as in Go
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_UNIT = "|".join(sorted(_NANOSECONDS, key=len, reverse=True))
# Digits are bounded so that no text costs more than a fixed amount of arithmetic.
_PART = re.compile(rf"([0-9]{{0,19}})(?:\.([0-9]{{0,19}}))?({_UNIT})")
_INT64_MAX = 2**63 - 1


def duration_ns(text: str) -> int | None:
    """A Go duration ("1m30s", "0.5h", "0") in nanoseconds; None if it is none."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    total, at = 0, 0
    while at < len(rest) and total <= _INT64_MAX:
        part = _PART.match(rest, at)
        if part is None:
            return None
        whole, fraction, unit = part[1], part[2] or "", _NANOSECONDS[part[3]]
        if not whole and not fraction:
            return None
        total += int(whole or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        at = part.end()
    return sign * total if rest and total <= _INT64_MAX else None


def duration_text(nanoseconds: int) -> str:
    """A Go duration as Go prints it: 3600 s are "1h0m0s", 1.5 ms are "1.5ms"."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest == 0:
        return "0s"
    for unit in ("ns", "µs", "ms"):
        if rest < _NANOSECONDS[unit] * 1000:
            return f"{sign}{_decimal(rest, _NANOSECONDS[unit])}{unit}"
    minutes, seconds = divmod(rest, _NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{text}{_decimal(seconds, _NANOSECONDS['s'])}s"


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    fraction = str(rest).zfill(len(str(unit)) - 1).rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)
