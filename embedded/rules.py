"""x-kubernetes-validations: rules in CEL that a CRD gives for its objects.

For: asking every rule of a schema about a value, and refusing a CRD whose rules are not CEL.
Must not know: CRDs, requests, or the rest of validation, which comes first.

The language is that of the package `common-expression-language` (loaded with the first
rule or pattern). Kubernetes' further functions are added here; optionals (`?.`, optionalOldSelf)
and typed libraries that are missing are refused by name when the CRD is written.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from api.openapi import Schema
from embedded import rule_functions
from embedded.rule_values import escaped

RULES: Final = "x-kubernetes-validations"
_Causes = Iterator[tuple[str, str]]
_REASONS: Final = {
    "FieldValueInvalid": 'Invalid value: "{type}": {message}',
    "FieldValueForbidden": "Forbidden: {message}",
    "FieldValueRequired": "Required value: {message}",
    "FieldValueDuplicate": 'Duplicate value: "{type}"',
}
_MISSING: Final = (
    "CEL rules need the package common-expression-language, which is not installed: "
    "pip install common-expression-language"
)


class RuleError(Exception):
    """A rule that cannot be read or answered."""


def compile_causes(schema: Schema, path: str) -> _Causes:
    """Which rules of a schema cannot be kept; nothing where all can."""
    for at, rule in enumerate(schema.get(RULES) or ()):
        here = f"{path}.{RULES}[{at}]"
        yield from _compile_one(rule, here)
    for name, child in (schema.get("properties") or {}).items():
        yield from compile_causes(child, f"{path}.properties[{name}]")
    for word in ("items", "additionalProperties"):
        child = schema.get(word)
        if isinstance(child, Mapping):
            yield from compile_causes(dict(child), f"{path}.{word}")


def _compile_one(rule: Mapping[str, Any], path: str) -> _Causes:
    if not str(rule.get("rule") or "").strip():
        yield f"{path}.rule", "Required value: rule is not specified"
        return
    for field in ("rule", "messageExpression"):
        if rule.get(field):
            try:
                _compiled(rule[field])
            except RuleError as error:
                shown = json.dumps(rule[field])
                yield f"{path}.{field}", f"Invalid value: {shown}: compilation failed: {error}"
    if rule.get("optionalOldSelf"):
        yield f"{path}.optionalOldSelf", "Forbidden: CEL optionals are not served here"
    reason = rule.get("reason")
    if reason and reason not in _REASONS:
        listed = ", ".join(f'"{each}"' for each in _REASONS)
        yield f"{path}.reason", f'Unsupported value: "{reason}": supported values: {listed}'


def has_any(schema: Schema) -> bool:
    """Whether a schema has rules at all: most have none, and are not walked for each object."""
    if schema.get(RULES):
        return True
    children = [*(schema.get("properties") or {}).values()]
    children += [schema.get("items"), schema.get("additionalProperties")]
    return any(has_any(dict(each)) for each in children if isinstance(each, Mapping))


def causes(schema: Schema, value: Any, old: Any, path: str) -> _Causes:
    """The rules that a value, or the change from `old`, breaks; None: there is no old value."""
    if value is None:
        return
    for rule in schema.get(RULES) or ():
        yield from _ask(rule, schema, value, old, path)
    if isinstance(value, Mapping):
        properties, values = schema.get("properties") or {}, schema.get("additionalProperties")
        before = old if isinstance(old, Mapping) else {}
        for key, child in value.items():
            part = properties.get(key, values)
            if isinstance(part, Mapping):
                here = f"{path}.{key}" if path else key
                yield from causes(dict(part), child, before.get(key), here)
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for at, child in enumerate(value):
            before = _correlated(schema, child, old)
            yield from causes(dict(schema["items"]), child, before, f"{path}[{at}]")


def _correlated(schema: Schema, child: Any, old: Any) -> Any:
    """The old item that is the same by its keys; items of other lists have no past."""
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
        return None
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    wanted = [child.get(key) for key in keys]
    return next((each for each in old if [each.get(key) for key in keys] == wanted), None)


def _ask(rule: Mapping[str, Any], schema: Schema, value: Any, old: Any, path: str) -> _Causes:
    program = _compiled(rule["rule"])
    is_of_change = "oldSelf" in program.variables()
    if is_of_change and old is None:
        return
    variables = {"self": escaped(schema, value)}
    if old is not None:
        variables["oldSelf"] = escaped(schema, old)
    shown = path + rule.get("fieldPath", "") if path else rule.get("fieldPath", "").lstrip(".")
    shown = shown or "<nil>"
    form = _REASONS[rule.get("reason") or "FieldValueInvalid"]
    type_ = schema.get("type", "object")
    try:
        _refuse_endless(rule["rule"], variables)
        answer = _execute(program, variables)
    except RuleError as error:
        text = f"{error} evaluating rule: {rule.get('message') or rule['rule']}"
        yield shown, _REASONS["FieldValueInvalid"].format(type=type_, message=text)
        return
    if answer is not True:
        yield shown, form.format(type=type_, message=_message(rule, variables))


def _refuse_endless(text: str, variables: Mapping[str, Any]) -> None:
    """Loops in loops over long lists: Kubernetes counts as it goes, here it is known before."""
    depth = _loops(text)
    if depth < 2:
        return
    longest, waiting = 0, list(variables.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            longest = max(longest, len(value))
            waiting += value.values()
        elif isinstance(value, list):
            longest = max(longest, len(value))
            waiting += value
    if longest**depth > _STEPS_MAX:
        raise RuleError("operation cancelled: actual cost limit exceeded")


@lru_cache(maxsize=4096)
def _loops(text: str) -> int:
    """How many macros that walk a list stand in one another."""
    opened: list[bool] = []
    deepest = 0
    for found in _PARENTHESES.finditer(_LITERAL.sub('""', text)):
        if found[0] == ")":
            del opened[-1:]
        else:
            opened.append(found[0] != "(")
            deepest = max(deepest, sum(opened))
    return deepest


def _message(rule: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    if rule.get("messageExpression"):
        try:
            told = _execute(_compiled(rule["messageExpression"]), variables)
        except RuleError:
            told = None
        if isinstance(told, str) and told.strip() and "\n" not in told:
            return told
    return str(rule.get("message") or f"failed rule: {rule['rule'].strip()}")


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Any:
    try:
        import cel
    except ImportError as error:
        raise RuleError(_MISSING) from error
    if len(text) > _LENGTH_MAX:
        raise RuleError(f"Too long: may not be more than {_LENGTH_MAX} characters")
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise RuleError(" ".join(str(error).split())) from error
    known = rule_functions.OF_THE_LANGUAGE | rule_functions.FUNCTIONS.keys()
    missing = sorted(each for each in set(program.functions()) - known if each[:1].isalpha())
    if missing:
        raise RuleError(f"undeclared reference to {', '.join(map(repr, missing))}: not served here")
    bound = set(_BOUND.findall(text))
    strange = sorted(set(program.variables()) - {"self", "oldSelf", *_TYPES, *bound})
    if strange:
        raise RuleError(f"undeclared reference to {', '.join(map(repr, strange))}")
    return program


# The variable of a macro: x in self.all(x, x > 0).
_BOUND: Final = re.compile(r"\.(?:all|exists|exists_one|filter|map)\(\s*([A-Za-z_]\w*)\s*,")
_PARENTHESES: Final = re.compile(r"\.(?:all|exists|exists_one|filter|map)\(|[()]")
_LITERAL: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
# Each operator is a call in a call: tens of thousands are more than a stack holds.
_LENGTH_MAX: Final = 10_000
_STEPS_MAX: Final = 200_000  # of the innermost loop: about a quarter of a second
_TYPES: Final = frozenset(
    ("bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint", "type")
)


def _execute(program: Any, variables: Mapping[str, Any]) -> Any:
    import cel

    context = cel.Context()
    for name in set(program.functions()) & rule_functions.FUNCTIONS.keys():
        context.add_function(name, rule_functions.FUNCTIONS[name])
    for name, value in variables.items():
        context.add_variable(name, value)
    try:
        return program.execute(context)
    except KeyError as error:
        raise RuleError(f"no such key: {error.args[0]}") from error
    except (RuntimeError, TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise RuleError(str(error)) from error
