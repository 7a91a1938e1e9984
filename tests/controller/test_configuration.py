from typing import Any

import pytest

from controller.configuration import (
    Claim,
    Observed,
    claim_of,
    generation_of,
    make_revision,
    plan,
    refused,
    wanted_name,
)
from tests.controller.objects import (
    NOW,
    SPEC,
    a_configuration,
    a_revision,
    applied,
    condition,
    ready,
    saying,
    stored,
)


def seeing(configuration: dict[str, Any], *revisions: dict[str, Any]) -> Observed:
    named = [each for each in revisions if each["metadata"]["name"] == wanted_name(configuration)]
    own = [
        each
        for each in revisions
        if each["metadata"]["ownerReferences"][0]["uid"] == configuration["metadata"]["uid"]
    ]
    return Observed(configuration=configuration, named=next(iter(named), None), revisions=own)


def test_the_revision_of_the_generation_is_made() -> None:
    configuration = a_configuration(
        generation=3,
        labels={"serving.knative.dev/service": "mnist", "team": "vision"},
        annotations={"serving.knative.dev/lastModifier": "me"},
    )
    template = configuration["spec"]["template"]
    template["metadata"] = {"labels": {"a": "1"}, "annotations": {"b": "2"}}
    step = plan(seeing(configuration), now=NOW)
    made = step.creates[0].object
    assert made["metadata"]["name"] == "mnist-00003"
    assert made["spec"] == SPEC
    assert made["metadata"]["labels"] == {
        "a": "1",
        "serving.knative.dev/configuration": "mnist",
        "serving.knative.dev/configurationGeneration": "3",
        "serving.knative.dev/configurationUID": "Configuration-mnist",
        "serving.knative.dev/routingState": "pending",
        "serving.knative.dev/service": "mnist",
    }
    assert made["metadata"]["annotations"] == {
        "b": "2",
        "serving.knative.dev/creator": "me",
        "serving.knative.dev/routingStateModified": NOW,
    }
    assert step.status is not None
    assert step.status["latestCreatedRevisionName"] == "mnist-00003"
    assert condition(step.status) == {"type": "Ready", "status": "Unknown"}


def test_it_is_ready_when_its_latest_revision_is() -> None:
    configuration = a_configuration()
    revision = saying(a_revision(), ready())
    step = plan(seeing(configuration, revision), now=NOW)
    assert step.creates == ()
    assert condition(step.status)["status"] == "True"
    assert [note.reason for note in step.notes] == ["ConfigurationReady", "LatestReadyUpdate"]
    again = plan(seeing(applied(configuration, step), revision), now=NOW)
    assert again.status is None
    assert again.notes == ()


def test_a_failing_revision_leaves_the_one_before_the_latest_ready() -> None:
    configuration = a_configuration(generation=2)
    old = saying(a_revision(), ready())
    new = saying(a_revision("mnist-00002", generation=2), ready("False", "ExitCode1", "it ended"))
    step = plan(seeing(configuration, old, new), now=NOW)
    assert step.status is not None
    assert step.status["latestCreatedRevisionName"] == "mnist-00002"
    assert step.status["latestReadyRevisionName"] == "mnist-00001"
    assert condition(step.status) == {
        "type": "Ready",
        "status": "False",
        "reason": "RevisionFailed",
        "message": 'Revision "mnist-00002" failed with message: it ended.',
    }
    assert [note.reason for note in step.notes][-1] == "LatestCreatedFailed"
    again = plan(seeing(applied(configuration, step), old, new), now=NOW)
    assert (again.status, again.notes) == (None, ())


def test_the_latest_ready_revision_never_goes_back() -> None:
    configuration = a_configuration(generation=3)
    configuration["status"] = {"latestReadyRevisionName": "mnist-00002"}
    revisions = [
        saying(a_revision("mnist-00001", generation=1), ready()),
        a_revision("mnist-00002", generation=2),  # has lost its readiness
        saying(a_revision("mnist-00003", generation=3), ready("Unknown")),
    ]
    step = plan(seeing(configuration, *revisions), now=NOW)
    assert step.status is not None
    assert step.status["latestReadyRevisionName"] == "mnist-00002"


def test_a_revision_in_between_may_become_the_latest_ready() -> None:
    configuration = a_configuration(generation=3)
    configuration["status"] = {"latestReadyRevisionName": "mnist-00001"}
    revisions = [
        saying(a_revision("mnist-00001", generation=1), ready()),
        saying(a_revision("mnist-00002", generation=2), ready()),
        saying(a_revision("mnist-00003", generation=3), ready("False", message="no")),
    ]
    step = plan(seeing(configuration, *revisions), now=NOW)
    assert step.status is not None
    assert step.status["latestReadyRevisionName"] == "mnist-00002"


def test_the_latest_ready_revision_was_deleted() -> None:
    configuration = a_configuration(generation=2)
    configuration["status"] = {"latestReadyRevisionName": "mnist-00001"}
    new = a_revision("mnist-00002", generation=2)
    step = plan(seeing(configuration, new), now=NOW)
    assert condition(step.status)["reason"] == "RevisionDeleted"
    assert condition(step.status)["message"] == 'Revision "mnist-00001" was deleted.'


def test_a_deleted_latest_revision_is_made_again_and_not_ready_meanwhile() -> None:
    configuration = a_configuration()
    configuration["status"] = {
        "latestReadyRevisionName": "mnist-00001",
        "latestCreatedRevisionName": "mnist-00001",
    }
    step = plan(seeing(configuration), now=NOW)
    assert step.creates[0].name == "mnist-00001"
    assert condition(step.status)["status"] == "Unknown"


@pytest.mark.parametrize(
    ("named", "claim"),
    [
        (None, Claim.FREE),
        (a_revision("mnist-a"), Claim.OURS),
        (a_revision("mnist-a", generation=7), Claim.OURS),  # an earlier one with the same spec
        (a_revision("mnist-a", generation=7, spec={"containers": []}), Claim.TAKEN),
        (a_revision("mnist-a", of=a_configuration("other")), Claim.TAKEN),
        (a_revision("mnist-a", of=a_configuration(uid="one before")), Claim.TAKEN),
    ],
)
def test_whose_a_name_chosen_by_the_user_is(named: dict[str, Any] | None, claim: Claim) -> None:
    assert claim_of(a_configuration(revision="mnist-a"), named) is claim


def test_what_a_deleted_configuration_of_our_name_left_behind_is_waited_for() -> None:
    configuration = a_configuration()
    leftover = a_revision(of=a_configuration(uid="one before"))
    assert claim_of(configuration, leftover) is Claim.LEFTOVER
    step = plan(Observed(configuration=configuration, named=leftover, revisions=[]), now=NOW)
    assert step.creates == ()
    assert condition(step.status)["status"] == "Unknown"


def test_a_taken_name_is_told_and_nothing_made() -> None:
    configuration = a_configuration(revision="mnist-a")
    theirs = a_revision("mnist-a", of=a_configuration("other"))
    seen = Observed(configuration=configuration, named=theirs, revisions=[])
    step = plan(seen, now=NOW)
    assert step.creates == ()
    assert condition(step.status)["reason"] == "RevisionFailed"
    assert condition(step.status)["message"] == (
        "Revision creation failed with message: "
        'revisions.serving.knative.dev "mnist-a" already exists.'
    )
    assert [note.reason for note in step.notes] == ["CreationFailed"]


def test_a_name_used_before_for_the_same_spec_is_ready_again() -> None:
    configuration = a_configuration(revision="mnist-a", generation=3)
    configuration["status"] = {"latestReadyRevisionName": "mnist-b"}
    first = saying(a_revision("mnist-a", generation=1), ready())
    second = saying(a_revision("mnist-b", generation=2), ready())
    step = plan(seeing(configuration, first, second), now=NOW)
    assert step.status is not None
    assert step.status["latestReadyRevisionName"] == "mnist-a"
    assert condition(step.status)["status"] == "True"


def test_a_refusal_of_the_server_is_told_in_its_words() -> None:
    step = plan(refused(seeing(a_configuration()), "quota exceeded"), now=NOW)
    assert step.creates == ()
    assert step.status is not None
    assert "latestCreatedRevisionName" not in step.status
    assert (
        condition(step.status)["message"]
        == "Revision creation failed with message: quota exceeded."
    )


def test_a_configuration_that_is_going_is_left_alone() -> None:
    step = plan(seeing(a_configuration(deletionTimestamp=NOW)), now=NOW)
    assert (step.creates, step.status) == ((), None)


def test_a_generation_that_is_no_number() -> None:
    label = {"serving.knative.dev/configurationGeneration": "x"}
    assert generation_of(stored("Revision", "r", labels=label)) == 0


def test_a_revision_is_marked_from_its_first_moment_on() -> None:
    routes = {"serving.knative.dev/routes": "mnist,other"}
    made = make_revision(a_configuration(annotations=routes), now=NOW)
    assert made["metadata"]["labels"]["serving.knative.dev/routingState"] == "active"
    assert made["metadata"]["annotations"] == {
        **routes,
        "serving.knative.dev/routingStateModified": NOW,
    }
