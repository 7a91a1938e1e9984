"""The Pareto front over the knobs, and the annotations to paste for each point.

For: `relight simulate --search`.
Must not know: how points are found, or what a knob means.
"""

from rehearsal.traces import Trace
from relight.assumptions import Assumptions
from relight.simulate_arguments import Wanted


async def run(wanted: Wanted, trace: Trace, assumed: Assumptions) -> None:
    """Search, and print."""
