"""Whether somebody would tell us of a request for a Revision that has no replica.

For: never going to zero where nobody could wake it: Knative's activators tell us nothing by
     themselves, so each has to be readable.
Must not know: how they are asked, clocks.
"""

from typing import Final

FIRST_S: Final = 3.0  # in which the first answers are waited for
PATIENCE_S: Final = 20.0  # later on: a replaced activator takes some time to answer


class Waking:
    """`now_s` never falls."""

    __slots__ = ("_good_s", "_is_able", "_since_s", "why")

    def __init__(self, *, now_s: float) -> None:
        self._since_s = now_s
        self._good_s: float | None = None
        self._is_able: bool | None = None
        self.why = ""  # not; "" while it is able, or nobody knows

    @property
    def is_judged(self) -> bool:
        """Say whether it is known."""
        return self._is_able is not None

    @property
    def is_able(self) -> bool:
        """Say whether a Revision may go to zero; not known counts as able, as nothing goes soon."""
        return self._is_able is not False

    def heard(self, problem: str, *, now_s: float) -> bool:
        """All were asked; `problem` says why not all can be read, or "". True: a new judgement."""
        before = self._is_able
        if not problem:
            self._good_s = now_s
            self._is_able, self.why = True, ""
        elif self._is_over(now_s):
            self._is_able, self.why = False, problem
        return self._is_able is not before

    def _is_over(self, now_s: float) -> bool:
        if self._good_s is None:
            return now_s - self._since_s >= FIRST_S
        return now_s - self._good_s >= PATIENCE_S
