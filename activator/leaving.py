"""How an activator ends without a caller noticing.

For: going on for as long as somebody may still send requests, and ending when nothing runs.
Must not know: who told it to end, what becomes of the queues.
"""

import asyncio

from wire.roster import Roster
from wire.tunnel import Tunnel

_LOOK_S = 0.05
_ACCEPTED_S = 0.25  # for the request on a connection that was accepted in the last moment


async def wind_down(
    roster: Roster, server: asyncio.Server | None, *, linger_s: float, end_s: float
) -> None:
    """Return when no connection is left, or after `linger_s` and then `end_s`.

    While it lingers, all that comes is served, and each connection ends behind its next answer.
    Then those that are idle end, and no new ones are taken. What runs goes on, tunnels too.
    """
    roster.wind_down()
    await asyncio.sleep(linger_s)
    if server is not None:
        server.close()
    await asyncio.sleep(min(linger_s, _ACCEPTED_S))
    roster.retire(spared=Tunnel)
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + end_s
    while len(roster) and loop.time() < ends_s:  # noqa: ASYNC110 - a roster costs the hot path nothing
        await asyncio.sleep(_LOOK_S)
