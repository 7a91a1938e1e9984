"""Numbers for people and programs."""

from dataclasses import asdict

from activator.statistics import EventStatistics, RevisionStatistics, Statistics


def test_statistics_become_plain_data() -> None:
    revision = RevisionStatistics(queued=1, queued_bytes=2, executing=3, ready_replicas=4, pods=5)
    statistics = Statistics(connections=1, requests=2, expected=0, revisions={"ns/r": revision})
    plain = asdict(statistics)
    assert plain["revisions"]["ns/r"]["executing"] == 3
    assert plain["events"] == asdict(EventStatistics())
