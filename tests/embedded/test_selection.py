from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kinds import EVENTS, NAMESPACES, PODS
from cluster.errors import BadRequestError
from cluster.options import Selection
from embedded.selection import labels_match, parse


def is_selected(obj: dict[str, Any], *, labels: str = "", fields: str = "") -> bool:
    return parse(PODS, Selection(labels=labels, fields=fields)).matches(obj)


def labelled(**labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "default", "labels": labels}}


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("", True),
        ("a", True),
        ("!a", False),
        ("z", False),
        ("!z", True),
        ("! z", True),
        ("a=1", True),
        ("a==1", True),
        ("a = 1", True),
        ("a!=1", False),
        ("a!=2", True),
        ("z!=1", True),
        ("a in (1,2)", True),
        ("a in ( 1 , 2 )", True),
        ("a in(3)", False),
        ("z in (1)", False),
        ("a notin (1)", False),
        ("z notin (1)", True),
        ("a>0", True),
        ("a > 1", False),
        ("a<2", True),
        ("b>0", False),
        ("z<2", False),
        ("a=1,b=x", True),
        ("a=1,b=y", False),
        ("a in (1,2),b notin (x,y)", False),
        ("example.com/k=v", True),
        ("empty=", True),
        ("empty", True),
        ("empty in (,x)", True),
        ("a=", False),
        (" a = 1 , b = x ", True),
    ],
)
def test_the_grammar_of_labels(selector: str, wanted: bool) -> None:
    obj = labelled(a="1", b="x", empty="", **{"example.com/k": "v"})
    assert is_selected(obj, labels=selector) is wanted


@pytest.mark.parametrize(
    "selector",
    [
        "=",
        "a=b=c",
        "a in",
        "a in b",
        "a in (b",
        ",",
        "a,,b",
        "a=b,",
        "-a",
        "a=?",
        "(a)",
        "a in (b c)",
    ],
)
def test_bad_label_selectors_are_named(selector: str) -> None:
    with pytest.raises(BadRequestError, match="unable to parse requirement"):
        parse(PODS, Selection(labels=selector))


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("", True),
        ("metadata.name=p", True),
        ("metadata.name==p", True),
        ("metadata.name!=p", False),
        ("metadata.namespace=default,metadata.name=p", True),
        ("status.phase=Running", True),
        ("status.phase!=Running", False),
        ("spec.nodeName=", True),
        ("status.podIP=10.0.0.1", False),
    ],
)
def test_the_grammar_of_fields(selector: str, wanted: bool) -> None:
    obj = labelled() | {"status": {"phase": "Running"}}
    assert is_selected(obj, fields=selector) is wanted


@pytest.mark.parametrize(
    ("selector", "words"),
    [("metadata.name", "can't understand"), ("spec.colour=red", "not supported: spec.colour")],
)
def test_bad_field_selectors_are_named(selector: str, words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        parse(PODS, Selection(fields=selector))


def test_each_kind_has_fields_of_its_own() -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"name": "p"},
        "source": {"component": "k"},
    }
    found = parse(EVENTS, Selection(fields="involvedObject.name=p,source=k,type="))
    assert found.matches(event)
    with pytest.raises(BadRequestError):
        parse(PODS, Selection(fields="involvedObject.name=p"))


def test_a_name_that_is_asked_for_is_known() -> None:
    assert parse(PODS, Selection(fields="metadata.name=p")).name == "p"
    assert parse(PODS, Selection(fields="metadata.name!=p")).name is None


def test_a_namespace_means_nothing_to_kinds_without_one() -> None:
    assert parse(NAMESPACES, Selection(namespace="x")).namespace is None
    assert not parse(PODS, Selection(namespace="x")).matches(labelled())


NAMES = st.sampled_from("ab")
TERMS = st.tuples(NAMES, st.sampled_from(["=", "!=", " in ", " notin ", "", "!"]), NAMES)


@given(st.lists(TERMS, max_size=3), st.dictionaries(NAMES, NAMES))
def test_selectors_against_the_plain_reading(
    terms: list[tuple[str, str, str]], labels: dict[str, str]
) -> None:
    plain = {
        "=": lambda key, value: labels.get(key) == value,
        "!=": lambda key, value: labels.get(key) != value,
        " in ": lambda key, value: labels.get(key) == value,
        " notin ": lambda key, value: labels.get(key) != value,
        "": lambda key, _: key in labels,
        "!": lambda key, _: key not in labels,
    }
    written = {
        " in ": "{0} in ({1})",
        " notin ": "{0} notin ({1})",
        "": "{0}",
        "!": "!{0}",
        "=": "{0}={1}",
        "!=": "{0}!={1}",
    }
    text = ",".join(written[how].format(key, value) for key, how, value in terms)
    wanted = all(plain[how](key, value) for key, how, value in terms)
    assert is_selected(labelled(**labels), labels=text) is wanted


def test_labels_match_wants_all_of_them() -> None:
    assert labels_match({}, {"a": "b"})
    assert labels_match({"a": "b"}, {"a": "b", "c": "d"})
    assert not labels_match({"a": "b", "c": "d"}, {"a": "b"})
