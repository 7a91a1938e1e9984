"""A warm Pod's one life: warm, claimed once, serving, ended. Pure.

For: who may claim it, what is answered to each question, and that it never goes back.
Must not know: sockets, zygotes, processes, clocks.
"""

import enum
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

WAIT_MAX_S = 30.0  # an answer to a claim may be held for so long


class Phase(enum.Enum):
    """Where the Pod stands."""

    STARTING = "starting"
    WARM = "warm"
    CLAIMED = "claimed"  # the replica loads its model
    SERVING = "serving"
    ENDED = "ended"


class ClaimError(Exception):
    """A claim that is refused, with its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a claimant wants to become of this Pod."""

    id: str
    revision: str
    args: tuple[str, ...]
    env: Mapping[str, str]
    wait_s: float  # the answer may be held until the replica serves, for at most so long


def read_claim(body: bytes) -> Claim:
    """The claim in a body; ClaimError 400 naming the field."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ClaimError(400, f"the body is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise ClaimError(400, "the body: expected an object")
    unknown = sorted(set(raw) - {"id", "revision", "args", "env", "wait_s"})
    if unknown:
        raise ClaimError(400, f"{unknown[0]}: unknown field")
    args, env, wait_s = raw.get("args", []), raw.get("env", {}), raw.get("wait_s", 0)
    for name in ("id", "revision"):
        if not isinstance(raw.get(name), str) or not raw[name]:
            raise ClaimError(400, f"{name}: expected a string that is not empty")
    if not isinstance(args, list) or not all(isinstance(each, str) for each in args):
        raise ClaimError(400, "args: expected a list of strings")
    if not isinstance(env, dict) or not all(isinstance(each, str) for each in env.values()):
        raise ClaimError(400, "env: expected an object of strings")
    is_number = isinstance(wait_s, int | float) and not isinstance(wait_s, bool)
    if not is_number or not 0 <= wait_s <= WAIT_MAX_S:
        raise ClaimError(400, f"wait_s: expected 0 to {WAIT_MAX_S:g}")
    return Claim(
        id=raw["id"], revision=raw["revision"], args=tuple(args), env=env, wait_s=float(wait_s)
    )


class PodLife:
    """Moves one way only."""

    def __init__(self, key: str) -> None:
        """`key` opens this Pod; "" lets nobody claim it."""
        self._key = key.encode()
        self.phase = Phase.STARTING
        self.claim: Claim | None = None
        self.facts: dict[str, Any] = {}

    def warmed(self) -> None:
        """The zygote is warm; an end that came first wins."""
        if self.phase is Phase.STARTING:
            self.phase = Phase.WARM

    def check_key(self, authorization: str) -> None:
        """ClaimError 401 unless this is who may claim."""
        scheme, _, said = authorization.partition(" ")
        is_theirs = hmac.compare_digest(said.strip().encode(), self._key)
        if not self._key or scheme.lower() != "bearer" or not is_theirs:
            raise ClaimError(401, "Authorization: expected Bearer and this Pod's claim key")

    def take(self, claim: Claim) -> bool:
        """Whether the replica is to be started now; False for a claim that is heard again.

        ClaimError 409 when another one has it, 503 while there is nothing to claim.
        """
        if self.claim is not None:
            if self.claim.id == claim.id:
                return False
            raise ClaimError(409, f"claimed already, for {self.claim.revision}")
        if self.phase is not Phase.WARM:
            raise ClaimError(503, f"this Pod is {self.phase.value}, not warm")
        self.claim = claim
        self.phase = Phase.CLAIMED
        return True

    def said(self, fact: Mapping[str, Any]) -> None:
        """Hear what the replica tells of itself."""
        self.facts |= {name: value for name, value in fact.items() if name != "ready"}
        if fact.get("ready") and self.phase is Phase.CLAIMED:
            self.phase = Phase.SERVING

    def ended(self) -> None:
        """Nothing comes after this."""
        self.phase = Phase.ENDED

    @property
    def is_ready(self) -> bool:
        """What a readiness probe asks: to be claimed, or to be sent requests."""
        return self.phase in (Phase.WARM, Phase.SERVING)

    def told(self) -> dict[str, Any]:
        """What anyone may hear."""
        revision = {"revision": self.claim.revision} if self.claim is not None else {}
        return {"phase": self.phase.value, **revision, **self.facts}
