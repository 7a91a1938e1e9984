"""Configuration → the Revision of its present generation, and which Revision is ready.

For: planning one Configuration.
Must not know: how a Revision comes to run, or who sends requests to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from api import keys
from api.conditions import FALSE, READY, TRUE, UNKNOWN, Condition, find, is_ready
from api.kinds import CONFIGURATIONS, REVISIONS
from api.naming import revision_name
from api.objects import Raw
from controller.children import (
    annotations_of,
    as_admitted,
    is_controlled_by,
    is_going,
    labels_of,
    make_child,
)
from controller.plan import Note, Plan, Write, new_status, quoted, status_of

CREATION_FAILED = "CreationFailed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A Configuration, the Revisions it controls, and whatever stands under the next one's name."""

    configuration: Raw
    named: Raw | None  # the Revision called `wanted_name(configuration)`, whosever it is
    revisions: Sequence[Raw]  # those the Configuration controls
    creation_error: str = ""  # why the API server refused the Revision, in its words


def refused(seen: Observed, why: str) -> Observed:
    """The same, after the API server refused the Revision with these words."""
    return replace(seen, creation_error=why)


class Claim(Enum):
    """Whose the wanted name is."""

    FREE = "nobody's"
    OURS = "our Revision for this generation"
    LEFTOVER = "that of an earlier Configuration of our name, about to be collected"
    TAKEN = "another's, or ours with another spec"


def plan(seen: Observed, *, now: str) -> Plan:
    """The next step for a Configuration; `now` is RFC 3339."""
    if is_going(seen.configuration):
        return Plan()
    configuration = as_admitted(CONFIGURATIONS, seen.configuration)
    seen = replace(seen, configuration=configuration)
    claim = claim_of(configuration, seen.named)
    name = wanted_name(configuration)
    is_refused = claim is Claim.TAKEN or bool(seen.creation_error)
    is_created = claim is Claim.OURS or (claim is Claim.FREE and not is_refused)
    latest = seen.named if claim is Claim.OURS else None
    before = status_of(configuration)
    latest_created = name if is_created else before.get("latestCreatedRevisionName")
    latest_ready = _latest_ready(seen, latest)
    if is_refused:
        why = seen.creation_error or f"revisions.serving.knative.dev {quoted(name)} already exists"
        condition = _failed(f"Revision creation failed with message: {why}.")
    else:
        condition = _readiness(seen, latest, latest_created, latest_ready)
    fields = {
        "latestCreatedRevisionName": latest_created or None,
        "latestReadyRevisionName": latest_ready or None,
    }
    create = Write(resource=REVISIONS, object=make_revision(configuration, now=now))
    return Plan(
        creates=(create,) if is_created and latest is None else (),
        status=new_status(configuration, [condition], fields, now=now),
        notes=_notes(seen, condition, latest_ready),
    )


def own_name(configuration: Raw) -> str:
    """The name the user gave to the Revision; empty if the user left it to us."""
    template = (configuration.get("spec") or {}).get("template") or {}
    metadata = template.get("metadata") or {}
    return str(metadata.get("name") or "")


def wanted_name(configuration: Raw) -> str:
    """The name of the Revision of the present generation."""
    metadata = configuration["metadata"]
    return own_name(configuration) or revision_name(metadata["name"], metadata.get("generation", 0))


def claim_of(configuration: Raw, named: Raw | None) -> Claim:
    """Whose the wanted name is; `named` is the Revision that has it.

    A Revision of ours from an earlier generation is taken again when its spec is the wanted
    one: that is how a user goes back to a name.
    """
    if named is None:
        return Claim.FREE
    metadata = configuration["metadata"]
    if not is_controlled_by(named, configuration):
        is_leftover = not own_name(configuration) and (
            labels_of(named).get(keys.CONFIGURATION) == metadata["name"]
        )
        return Claim.LEFTOVER if is_leftover else Claim.TAKEN
    if generation_of(named) == metadata.get("generation", 0):
        return Claim.OURS
    is_same = named["spec"] == configuration["spec"]["template"].get("spec")
    return Claim.OURS if is_same else Claim.TAKEN


def generation_of(revision: Raw) -> int:
    """The generation of the Configuration that a Revision was made for; 0 if it does not say."""
    text = labels_of(revision).get(keys.CONFIGURATION_GENERATION, "")
    return int(text) if text.isdecimal() else 0


def make_revision(configuration: Raw, *, now: str) -> dict[str, Any]:
    """The Revision of the present generation."""
    template = configuration["spec"]["template"]
    metadata = template.get("metadata") or {}
    above = configuration["metadata"]
    routes = annotations_of(configuration).get(keys.ROUTES)
    own = {
        keys.CONFIGURATION: above["name"],
        keys.CONFIGURATION_UID: above["uid"],
        keys.CONFIGURATION_GENERATION: str(above.get("generation", 0)),
        keys.ROUTING_STATE: "active" if routes else "pending",
        **{
            key: value
            for key, value in labels_of(configuration).items()
            if key in (keys.SERVICE, keys.SERVICE_UID)
        },
    }
    annotations = {**(metadata.get("annotations") or {}), keys.ROUTING_STATE_MODIFIED: now}
    modifier = annotations_of(configuration).get(keys.LAST_MODIFIER)
    if modifier:
        annotations[keys.CREATOR] = modifier
    if routes:
        annotations[keys.ROUTES] = routes
    return make_child(
        REVISIONS,
        configuration,
        wanted_name(configuration),
        {"labels": {**(metadata.get("labels") or {}), **own}, "annotations": annotations},
        template["spec"],
    )


def _latest_ready(seen: Observed, latest: Raw | None) -> str:
    """The ready Revision of the greatest generation, never one older than it was before.

    A Revision whose name the user chose counts as the newest while the template names it.
    """
    before = str(status_of(seen.configuration).get("latestReadyRevisionName") or "")
    known = {revision["metadata"]["name"]: revision for revision in seen.revisions}
    if latest is not None and is_ready(latest) and own_name(seen.configuration):
        return str(latest["metadata"]["name"])
    oldest = generation_of(known[before]) if before in known else 0
    candidates = [
        revision
        for revision in seen.revisions
        if is_ready(revision) and not is_going(revision) and generation_of(revision) >= oldest
    ]
    if not candidates:
        return before
    return str(max(candidates, key=generation_of)["metadata"]["name"])


def _readiness(
    seen: Observed, latest: Raw | None, latest_created: str | None, latest_ready: str
) -> Condition:
    below = find(latest, READY) if latest is not None else None
    if below is not None and below.status == FALSE:
        return _failed(
            f"Revision {quoted(latest_created or '')} failed with message: {below.message}."
        )
    is_latest = bool(latest_ready) and latest_ready == latest_created
    is_known = any(each["metadata"]["name"] == latest_ready for each in seen.revisions)
    if latest_ready and not is_latest and not is_known:
        return Condition(
            type=READY,
            status=FALSE,
            reason="RevisionDeleted",
            message=f"Revision {quoted(latest_ready)} was deleted.",
        )
    is_serving = is_latest and below is not None and below.status == TRUE
    return Condition(type=READY, status=TRUE if is_serving else UNKNOWN)


def _failed(message: str) -> Condition:
    return Condition(type=READY, status=FALSE, reason="RevisionFailed", message=message)


def _notes(seen: Observed, condition: Condition, latest_ready: str) -> tuple[Note, ...]:
    notes = []
    before = status_of(seen.configuration).get("latestReadyRevisionName") or ""
    if latest_ready and not before:
        notes.append(
            Note(
                type="Normal",
                reason="ConfigurationReady",
                message="Configuration becomes ready",
            )
        )
    if latest_ready != before:
        message = f"LatestReadyRevisionName updated to {quoted(latest_ready)}"
        notes.append(Note(type="Normal", reason="LatestReadyUpdate", message=message))
    told = find(seen.configuration, READY)
    is_news = told is None or (told.reason, told.message) != (condition.reason, condition.message)
    if condition.status == FALSE and condition.reason == "RevisionFailed" and is_news:
        notes.append(_failure_note(condition, before))
    return tuple(notes)


def _failure_note(condition: Condition, latest_ready: str) -> Note:
    """The condition's own words are those of the failure; the Event says which it was."""
    what, _, why = condition.message.partition(" failed with message: ")
    if what == "Revision creation":
        text = f"Failed to create Revision: {why.removesuffix('.')}"
        return Note(type="Warning", reason=CREATION_FAILED, message=text)
    name = what.removeprefix("Revision ")
    which = "Ready" if name == quoted(latest_ready) else "Created"
    text = f"Latest {which.lower()} revision {name} has failed"
    return Note(type="Warning", reason=f"Latest{which}Failed", message=text)
