"""What the autoscaler tells Prometheus.

For: naming its numbers once.
Must not know: how they are counted, or who asks.
"""

from collections.abc import Iterator

from autoscaler.server import Autoscaler
from autoscaler.stat_server import StatServer
from telemetry.metrics import Family, counter, gauge, table

_REVISION = ("namespace", "revision")
_COLUMNS = (
    ("autoscaler_wanted_replicas", "Replicas decided on last."),
    ("autoscaler_replicas", "Replicas that the Deployment asks for."),
    ("autoscaler_ready_replicas", "Replicas that are ready."),
    ("autoscaler_is_panicking", "Whether the short window rules."),
)


def families(autoscaler: Autoscaler, stats: StatServer) -> Iterator[Family]:
    """Everything, now. Who does not lead decides nothing, and tells zeros."""
    deciding, writing = autoscaler.statistics()
    yield from table("gauge", _COLUMNS, _REVISION, _revisions(autoscaler))
    yield gauge("autoscaler_revisions", "Revisions that are decided for.", deciding.revisions)
    yield gauge("autoscaler_awake_revisions", "Those that each tick visits.", deciding.awake)
    yield gauge("autoscaler_refused", "PodAutoscalers that make no sense.", deciding.refused)
    yield counter("autoscaler_decisions", "Decisions, by tick or poke.", deciding.turns)
    yield counter("autoscaler_pokes", "Decisions asked for out of turn.", deciding.pokes)
    yield counter("autoscaler_faults", "Errors of our own.", deciding.faults)
    yield counter("autoscaler_scales_written", "Scales written.", writing.scales_written)
    yield counter("autoscaler_statuses_written", "Statuses written.", writing.statuses_written)
    yield counter("autoscaler_write_failures", "Writes given up.", writing.failures)
    yield from _reporters(stats)
    yield from _keeping(autoscaler)
    yield from _claims(autoscaler)
    yield from _scraping(autoscaler)
    yield from _neighbour(autoscaler)


def _revisions(autoscaler: Autoscaler) -> Iterator[tuple[tuple[str, ...], tuple[float, ...]]]:
    for key in autoscaler.revisions():
        known = autoscaler.known(key)
        if known is not None:
            newest = known.pilot.newest
            is_panicking = newest is not None and newest.is_panicking
            scale = known.scale
            wanted = known.pilot.wanted or 0
            yield key, (wanted, scale.replicas or 0, scale.ready, is_panicking)


def _reporters(stats: StatServer) -> Iterator[Family]:
    found = stats.statistics()
    yield gauge("autoscaler_reporters", "Activators that report.", found.here)
    yield gauge("autoscaler_missing_reporters", "Those that were lost a while ago.", found.missing)
    yield counter("autoscaler_reports", "Reports of load taken in.", found.reports)
    yield counter("autoscaler_lost_reporters", "Connections that broke.", found.lost)


def _keeping(autoscaler: Autoscaler) -> Iterator[Family]:
    found = autoscaler.keeping()
    if found is not None:
        yield counter("autoscaler_state_saves", "Times windows were kept.", found.saves)
        yield counter("autoscaler_state_failures", "Times the store could not.", found.failures)
        yield gauge("autoscaler_state_restored", "Revisions gone on with.", found.restored)


def _claims(autoscaler: Autoscaler) -> Iterator[Family]:
    found = autoscaler.claims()
    if found is not None:
        yield counter("autoscaler_claims", "Warm Pods claimed.", found.claimed)
        yield counter("autoscaler_claims_missed", "Replicas no warm Pod was for.", found.missed)
        yield counter("autoscaler_claims_lost", "Warm Pods that others had first.", found.lost)
        yield counter("autoscaler_claims_failed", "Claims that came to nothing.", found.failed)
        yield counter("autoscaler_claims_adopted", "Claimed Pods adopted.", found.adopted)
        yield counter("autoscaler_claims_given_up", "Claimed, and not adopted.", found.given_up)


def _scraping(autoscaler: Autoscaler) -> Iterator[Family]:
    found = autoscaler.scraping()
    if found is not None:
        yield counter("autoscaler_measured", "Loads measured at replicas.", found.measured)
        yield counter("autoscaler_unmeasured", "Times too few could tell.", found.unknown)
        yield counter("autoscaler_probes", "Probes of Services.", found.probes)
        yield counter("autoscaler_probes_closed", "Those an activator answered.", found.closed)


def _neighbour(autoscaler: Autoscaler) -> Iterator[Family]:
    found = autoscaler.neighbour()
    if found is not None:
        yield gauge("autoscaler_can_wake", "Whether zero can be left again.", found.can_wake)
        yield gauge("autoscaler_knative_activators", "That are asked.", found.activators)
        yield counter("autoscaler_knative_answers", "What they answered.", found.answers)
        yield counter("autoscaler_knative_silences", "No answers.", found.failures)
        yield counter("autoscaler_modes_written", "ServerlessServices written.", found.written)
        yield counter("autoscaler_mode_failures", "Tried again.", found.write_failures)
