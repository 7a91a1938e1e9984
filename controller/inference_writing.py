"""Write the children of an InferenceService one by one, and note those that are refused.

For: telling which child an API server will not have, and why, in the parent's status.
Must not know: what a child is for.
"""

from dataclasses import replace

from api.kinds import INFERENCESERVICES
from api.objects import Raw
from cluster.errors import BadRequestError, ForbiddenError, InvalidError
from controller.plan import Plan
from controller.reconciler import RefusedError, Writer

REFUSED_AGAIN_S = 60.0  # the server's rules may change; what the user wrote wakes us sooner


async def carry_out_each(writer: Writer, raw: Raw, plan: Plan) -> dict[str, str]:
    """Write the children alone; by name, the messages with which some were refused."""
    refused: dict[str, str] = {}
    single = [Plan(creates=(each,)) for each in plan.creates]
    single += [Plan(updates=(each,)) for each in plan.updates]
    for each in single:
        write = (*each.creates, *each.updates)[0]
        try:
            await writer.carry_out(INFERENCESERVICES, raw, each)
        except (RefusedError, BadRequestError, ForbiddenError, InvalidError) as error:
            refused[write.name] = error.message
    return refused


def without_writes(plan: Plan) -> Plan:
    """What is left to do of the plan."""
    return replace(plan, creates=(), updates=())
