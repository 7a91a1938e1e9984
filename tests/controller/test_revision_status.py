from api.conditions import Condition
from controller.revision_status import NOT_OURS, fields_of, not_owned, notes_of
from tests.controller.objects import a_revision, ready, saying, stored

DIGEST = "sha256:" + "ab" * 32


def test_containers_are_told_with_what_they_are_pinned_to() -> None:
    containers = [
        {"name": "model", "image": "relight/predictor", "args": ["--model", "m"]},
        {"name": "side", "image": f"example.com/side@{DIGEST}"},
        {"name": "other", "image": "example.com/other:1"},
    ]
    pinned = {"relight.dev/model-digest": DIGEST}
    revision = a_revision(spec={"containers": containers}, annotations=pinned)
    scale = {**stored("PodAutoscaler", "p"), "status": {"actualScale": 2, "desiredScale": -1}}
    found = fields_of(revision, scale)
    assert found["containerStatuses"] == [
        {"name": "model", "imageDigest": DIGEST},
        {"name": "side", "imageDigest": f"example.com/side@{DIGEST}"},
        {"name": "other"},
    ]
    assert (found["actualReplicas"], found["desiredReplicas"]) == (2, None)
    assert fields_of(revision, None)["actualReplicas"] is None


def test_what_is_news_is_told_once() -> None:
    failed = Condition(type="ContainerHealthy", status="False", reason="ModelMissing", message="m")
    fine = Condition(type="ContainerHealthy", status="True")
    idle = Condition(type="Active", status="False", reason="NoTraffic", severity="Info")
    revision = a_revision()
    assert [each.reason for each in notes_of(revision, [failed, idle])] == ["ModelMissing"]
    assert notes_of(saying(revision, failed), [failed, idle]) == ()
    assert [each.reason for each in notes_of(revision, [fine, idle])] == ["RevisionReady"]
    assert notes_of(saying(revision, ready()), [fine, idle]) == ()


def test_a_child_that_is_somebody_elses_is_an_error_in_knatives_words() -> None:
    message = f'There is an existing Deployment "d"{NOT_OURS}'
    foreign = Condition(
        type="ResourcesAvailable", status="False", reason="NotOwned", message=message
    )
    [note] = not_owned(a_revision(), [foreign])
    assert note.message == 'revision: "mnist-00001" does not own Deployment: "d"'
    assert not_owned(saying(a_revision(), foreign), [foreign]) == ()
    assert not_owned(a_revision(), []) == ()
