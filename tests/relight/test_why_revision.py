"""The page of a revision, from what the autoscaler tells."""

from datetime import UTC
from typing import Any

from relight.why_revision import Reader, page, page_at

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
READER = Reader(now_s=NOON + 60, zone=UTC, width=100)


def entry(first: float, text: str, **changed: Any) -> dict[str, Any]:
    plain = {
        "first": NOON + first,
        "last": NOON + first,
        "repeats": 1,
        "before": 0,
        "wanted": 4,
        "reason": "queue",
        "is_change": True,
        "is_refusal": False,
        "text": text,
    }
    return plain | changed


def told(**changed: Any) -> dict[str, Any]:
    plain = {
        "namespace": "default",
        "name": "iris-00001",
        "service": "iris",
        "class": "relight.autoscaling.knative.dev",
        "phase": "active",
        "phase_since": NOON + 3,
        "wanted": 4,
        "ready": 3,
        "set": {"autoscaling.knative.dev/max-scale": "4"},
        "now": entry(5, "It stayed at 4 replicas: 1 would do, but ...", reason="panic-hold"),
    }
    return plain | changed


JOURNAL = {
    "reaches_back_to": NOON,
    "entries": [
        entry(0, "It began.", is_change=False),
        entry(3, "It went from 0 to 4 replicas: 15 requests were waiting.", last=NOON + 4),
        entry(
            5,
            "It stayed at 4 replicas: 1 would do.",
            is_change=False,
            is_refusal=True,
            last=NOON + 9.5,
        ),
    ],
}


def test_a_page_says_what_is_so_why_and_what_was_decided() -> None:
    assert page(told(), JOURNAL, READER, last=10) == "\n".join(
        [
            "revision iris-00001 (namespace default, service iris)",
            "",
            "  now       4 wanted, 3 ready; active since 12:00:03.000 (57.0 s ago)",
            "  why       It stayed at 4 replicas: 1 would do, but ...",
            "  rule      panic-hold, since 12:00:05.000 (55.0 s ago)",
            "  next      it changes when its load does",
            "  class     relight.autoscaling.knative.dev",
            "  set       autoscaling.knative.dev/max-scale=4",
            "",
            "what was decided, the newest last:",
            "  12:00:03.000  It went from 0 to 4 replicas: 15 requests were waiting.",
            "  12:00:05.000  It stayed at 4 replicas: 1 would do. So until 12:00:09.500.",
        ]
    )


def test_only_the_newest_decisions_are_listed() -> None:
    text = page(told(), JOURNAL, READER, last=1)
    assert "12:00:03.000  It went" not in text
    assert "12:00:05.000  It stayed" in text
    assert "nothing was changed or refused" in page(
        told(), {"entries": [], "reaches_back_to": None}, READER, last=1
    )


def test_when_it_can_change_is_on_the_readers_clock() -> None:
    now = entry(5, "until 12:01:03 UTC", template="nothing goes before {next}", next=NOON + 63)
    text = page(told(now=now, learned="It is called every 40 s."), JOURNAL, READER, last=1)
    assert "why       nothing goes before 12:01:03.000" in text
    assert "next      it can change at 12:01:03.000 even if its load does not" in text
    assert "learned   It is called every 40 s." in text


def test_who_sleeps_is_told_what_wakes_it() -> None:
    text = page(
        told(asleep="It sleeps: nothing ran.", wanted=0, ready=0, phase="inactive"),
        JOURNAL,
        READER,
        last=1,
    )
    assert "now       0 wanted, 0 ready; inactive since" in text
    assert "why       It sleeps: nothing ran." in text
    assert "\n  next" not in text


def test_why_it_does_not_come_up_is_the_revisions_own_word() -> None:
    fault = {"reason": "ExitCode1", "message": "Container failed with: no such weights"}
    text = page(told(fault=fault, ready=0), JOURNAL, READER, last=1)
    assert "\n  fails     ExitCode1: Container failed with: no such weights\n  why       It" in text


def test_who_is_out_of_reach_is_told_so() -> None:
    assert "reach" not in page(told(is_reachable=True), JOURNAL, READER, last=1)
    text = page(told(is_reachable=False), JOURNAL, READER, last=1)
    assert "\n  reach     no Route leads here, or it can not come up: min-scale does not" in text


def test_a_revision_of_which_nothing_is_known_yet() -> None:
    text = page(told(wanted=None, now=None), JOURNAL, READER, last=1)
    assert "now       unknown wanted, 3 ready" in text


def test_what_was_in_force_at_a_time() -> None:
    journal = {**JOURNAL, "entries": JOURNAL["entries"][:2]}  # type: ignore[index] # a list
    text = page_at(told(), journal, NOON + 4.5, READER, last=10)
    assert text.splitlines()[:2] == [
        "At 12:00:04.500 4 replicas were wanted of iris-00001.",
        "In force since 12:00:03.000: It went from 0 to 4 replicas: 15 requests were waiting.",
    ]
    alone = {**JOURNAL, "entries": [entry(0, "It began.", wanted=1)]}
    assert "1 replica was wanted of iris" in page_at(told(), alone, NOON + 1, READER, last=1)
    unknown = {**JOURNAL, "entries": [entry(0, "Left.", wanted=None)]}
    assert "no number was known of iris-00001" in page_at(told(), unknown, NOON + 1, READER, last=1)


def test_a_time_before_the_journal() -> None:
    early = {"entries": [], "reaches_back_to": NOON}
    assert page_at(told(), early, NOON - 60, READER, last=10) == (
        "the journal of iris-00001 reaches back to 12:00:00.000: what was in force at "
        "11:59:00.000 is not remembered"
    )
    assert page_at(told(), {"entries": [], "reaches_back_to": None}, NOON, READER, last=1) == (
        "nothing was decided for iris-00001 since the autoscaler started"
    )


def test_long_sentences_are_wrapped_under_themselves() -> None:
    narrow = Reader(now_s=NOON + 60, zone=UTC, width=50)
    lines = page(told(), JOURNAL, narrow, last=1).splitlines()
    assert max(len(line) for line in lines[1:6]) <= 50
    assert "            but ..." in lines or any(line.startswith(" " * 12) for line in lines)
