from typing import Any

import pytest

from cluster.errors import BadRequestError
from embedded.registry import Registry
from embedded.review_kinds import ACCESS, RULES, SELF, SUBJECT, TOKEN
from embedded.reviews import Reviews

REVIEWS = Reviews(Registry(), user="ann", knows=lambda token: token == "secret")


def asked(**attributes: str) -> dict[str, Any]:
    return {"spec": {"resourceAttributes": attributes}}


@pytest.mark.parametrize(
    ("attributes", "is_allowed"),
    [
        ({"verb": "create", "group": "serving.knative.dev", "resource": "services"}, True),
        ({"verb": "list", "resource": "services"}, True),
        ({"verb": "create", "resource": "services"}, False),
        ({"verb": "delete", "resource": "nodes"}, False),
        ({"verb": "*", "resource": "*"}, True),
        ({"verb": "get", "group": "example.com", "resource": "things"}, True),
    ],
)
def test_all_that_is_served_is_allowed(attributes: dict[str, str], *, is_allowed: bool) -> None:
    found = REVIEWS.answer(ACCESS, asked(**attributes))
    assert found["status"]["allowed"] is is_allowed
    assert found["status"]["reason"]
    assert found["kind"] == "SelfSubjectAccessReview"


def test_paths_and_rules_are_all_allowed() -> None:
    spec = {"nonResourceAttributes": {"path": "/version", "verb": "get"}}
    assert REVIEWS.answer(ACCESS, {"spec": spec})["status"]["allowed"]
    rules = REVIEWS.answer(RULES, {"spec": {"namespace": "default"}})["status"]
    assert rules["resourceRules"] == [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]


def test_others_than_the_one_user_may_nothing() -> None:
    other = {"spec": {"user": "bob", **asked(verb="get", resource="pods")["spec"]}}
    assert not REVIEWS.answer(SUBJECT, other)["status"]["allowed"]
    ann = {"spec": {**other["spec"], "user": "ann"}}
    assert REVIEWS.answer(SUBJECT, ann)["status"]["allowed"]


def test_who_am_i_and_whose_is_a_token() -> None:
    assert REVIEWS.answer(SELF, {})["status"]["userInfo"]["username"] == "ann"
    known = REVIEWS.answer(TOKEN, {"spec": {"token": "secret"}})
    assert known["status"]["authenticated"]
    assert "secret" not in str(known)
    assert not REVIEWS.answer(TOKEN, {"spec": {"token": "other"}})["status"]["authenticated"]


@pytest.mark.parametrize(
    "body", [[], {"kind": "Pod"}, {"spec": 1}, {"spec": {}}, {"spec": {"resourceAttributes": 1}}]
)
def test_what_is_no_review_is_refused(body: Any) -> None:
    with pytest.raises(BadRequestError):
        REVIEWS.answer(ACCESS, body)
