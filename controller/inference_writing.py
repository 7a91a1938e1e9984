"""What is left of an InferenceService's plan when its children were written one by one.

For: telling which child an API server will not have, and why, in the parent's status.
Must not know: what a child is for, or how it is written.
"""

from dataclasses import replace

from controller.plan import Plan

REFUSED_AGAIN_S = 60.0  # the server's rules may change; what the user wrote wakes us sooner


def without_writes(plan: Plan) -> Plan:
    """What is left to do of the plan."""
    return replace(plan, creates=(), updates=())
