"""Dice for waits that many processes begin at one moment, such as when a server comes back.

For: spreading them, and one seed being one run where time is simulated.
Must not know: what is waited for.
"""

import asyncio
import random


def spread(shortest: float, longest: float) -> float:
    """A number between the two, drawn from the moment on the loop's clock.

    No two machines' clocks show the same; a simulated one shows the same again.
    """
    moment_s = asyncio.get_running_loop().time()
    return random.Random(moment_s).uniform(shortest, longest)  # noqa: S311 - no secret
