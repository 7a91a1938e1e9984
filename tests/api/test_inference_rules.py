"""The rules of KServe's kinds: what `tests/conformance` asks of a real server, checked for form."""

import pytest

from api import inference_rules
from api.inference_components import ONE_OF
from api.kinds import INFERENCESERVICES, Resource


@pytest.mark.parametrize("resource", inference_rules.RULES, ids=lambda each: each.kind)
def test_every_rule_has_words(resource: Resource) -> None:
    for rules in inference_rules.RULES[resource].values():
        assert all(rule.message for rule in rules if rule.expression)
        assert all(rule.expression or rule.bounds for rule in rules)


@pytest.mark.parametrize("kind", ["predictor", "transformer", "explainer"])
def test_the_words_are_the_validations_own(kind: str) -> None:
    rules = inference_rules.RULES[INFERENCESERVICES]["spec", kind]
    messages = [rule.message for rule in rules]
    assert ONE_OF[kind] in messages  # type: ignore[index] # one of the three
    assert "'MinReplicas' cannot be greater than MaxReplicas" in messages
