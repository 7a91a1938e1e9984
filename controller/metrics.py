"""What the controller tells Prometheus.

For: naming its numbers once.
Must not know: how they are counted, or who asks.
"""

from collections.abc import Iterator

from controller.server import Controller
from controller.webhook_server import WebhookServer
from telemetry.metrics import Family, counter, gauge


def families(controller: Controller) -> Iterator[Family]:
    """Everything, now."""
    found = controller.statistics()
    yield counter("controller_reconciles", "Objects looked at with success.", found.reconciled)
    yield counter("controller_failures", "Looks that failed; tried again.", found.failed)
    yield counter("controller_stale", "Writes that somebody else was ahead of.", found.stale)
    yield gauge("controller_queue", "Objects to look at, now or later.", found.queue.waiting)
    yield gauge("controller_working", "Objects looked at now.", found.queue.working)
    yield gauge("controller_failing", "Objects whose last look failed.", found.queue.failing)


def of_webhook(server: WebhookServer) -> Iterator[Family]:
    """What the API server asked of this replica."""
    found = server.statistics()
    help_ = "Reviews that were answered with yes."
    yield counter("controller_webhook_allowed", help_, found.allowed)
    help_ = "Reviews that were answered with a refusal."
    yield counter("controller_webhook_refused", help_, found.refused)
    help_ = "Calls that were no review, too large or too slow."
    yield counter("controller_webhook_malformed", help_, found.malformed)
