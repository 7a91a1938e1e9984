"""Carry out a plan: write the difference, tell what was done.

For: the one place where the controller changes anything.
Must not know: why a write is wanted, or when to try again.
"""

from api.kinds import CONFIGURATIONS, REVISIONS, ROUTES, SERVICES, Resource
from api.objects import Raw
from cluster.client import Client
from cluster.errors import (
    AlreadyExistsError,
    ApiError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    is_of_an_ending_namespace,
)
from cluster.events import EventRecorder
from controller.configuration import CREATION_FAILED
from controller.plan import Delete, Plan, Write, quoted

# Children whose making is news to the people who made the parent.
_TOLD = (CONFIGURATIONS, ROUTES, REVISIONS)
# Whoever plans these says itself, in a condition and an Event, that one was refused.
_REFUSALS_TOLD = (REVISIONS, SERVICES)


class StaleError(Exception):
    """The plan was made from a view that is behind; look again."""


class RefusedError(Exception):
    """The API server will not have this child, however often it is asked."""

    def __init__(self, write: Write, message: str) -> None:
        super().__init__(message)
        self.write = write
        self.message = message


class Writer:
    """Writes plans through a client."""

    def __init__(self, client: Client, events: EventRecorder) -> None:
        self._client = client
        self._events = events

    async def carry_out(self, resource: Resource, raw: Raw, plan: Plan) -> None:
        """Write what `plan` asks for of `raw`, in order.

        Raises StaleError when somebody else was quicker, RefusedError when a child was refused,
        and ApiError as the client does. Whatever was written stays, and is found again.
        """
        for write in plan.creates:
            await self._create(raw, write)
        for write in plan.updates:
            await self._replace(write.resource, write.object)
        for delete in plan.deletes:
            await self._delete(delete)
        if plan.status is not None:
            await self._replace(resource, {**raw, "status": plan.status}, subresource="status")
        for note in plan.notes:
            tell = self._events.normal if note.type == "Normal" else self._events.warning
            tell(raw, note.reason, note.message)

    async def carry_out_each(self, resource: Resource, raw: Raw, plan: Plan) -> dict[str, str]:
        """The creates and updates alone; by name, the messages with which some were refused.

        One that is refused stops no other.
        """
        refused: dict[str, str] = {}
        single = [Plan(creates=(each,)) for each in plan.creates]
        single += [Plan(updates=(each,)) for each in plan.updates]
        for each in single:
            write = (*each.creates, *each.updates)[0]
            try:
                await self.carry_out(resource, raw, each)
            except (RefusedError, BadRequestError, ForbiddenError, InvalidError) as error:
                refused[write.name] = error.message
        return refused

    async def _create(self, owner: Raw, write: Write) -> None:
        kind = write.resource.kind
        try:
            await self._client.create(write.resource, write.object)
        except AlreadyExistsError as error:
            raise StaleError(error.message) from error
        except (InvalidError, ForbiddenError) as error:
            if is_of_an_ending_namespace(error):
                raise  # no refusal of this child: soon its owner is gone, too
            if write.resource not in _REFUSALS_TOLD:
                self._tell_failure(owner, write, error)
            raise RefusedError(write, error.message) from error
        except ApiError as error:
            self._tell_failure(owner, write, error)
            raise
        if write.resource in _TOLD:
            self._events.normal(owner, "Created", f"Created {kind} {quoted(write.name)}")

    def _tell_failure(self, owner: Raw, write: Write, error: ApiError) -> None:
        """In Knative's words, which name the child unless it is a Revision."""
        name = "" if write.resource == REVISIONS else f" {quoted(write.name)}"
        message = f"Failed to create {write.resource.kind}{name}: {error.message}"
        self._events.warning(owner, CREATION_FAILED, message)

    async def _delete(self, delete: Delete) -> None:
        place = (delete.resource, delete.namespace, delete.name)
        try:
            await self._client.delete(*place, uid=delete.uid)
        except NotFoundError:
            return
        except ConflictError as error:
            raise StaleError(error.message) from error

    async def _replace(self, resource: Resource, obj: Raw, *, subresource: str = "") -> None:
        try:
            await self._client.replace(resource, obj, subresource=subresource)
        except (ConflictError, NotFoundError) as error:
            raise StaleError(error.message) from error
