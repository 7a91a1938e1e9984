"""Ask a container how it is, for as long as it runs, and pass on what changed.

For: turning probes that are due into a container's news.
Must not know: how a probe is made, what its numbers mean, or what follows from a failure.
"""

import asyncio
from collections.abc import Sequence

from embedded import probing
from embedded.probers import Prober
from embedded.process import Condemned, Probed, Sink
from embedded.residence import Residence


async def run(prober: Prober, probes: Sequence[probing.Probe], news: Sink, home: Residence) -> None:
    """Probe until one has failed for good."""
    loop = asyncio.get_running_loop()
    watches = probing.Watches(probes, now_s=loop.time())
    known = Probed(is_ready=watches.is_ready, is_started=watches.is_started)
    while (watch := watches.next_due()) is not None:
        await asyncio.sleep(max(0.0, watch.due_s - loop.time()))
        failure = await prober.attempt(watch.probe)
        if failure and not (watch.probe.is_hurried and watch.verdict is None):
            words = f"{watch.probe.kind.capitalize()} probe failed: {failure}"
            home.event("Unhealthy", words, is_warning=True)
        if watches.observe(watch, not failure, now_s=loop.time()):
            news.put_nowait(Condemned(watch.probe.kind, watch.probe.grace_s))
            return
        probed = Probed(is_ready=watches.is_ready, is_started=watches.is_started)
        if probed != known:
            known = probed
            news.put_nowait(probed)
