"""Whether joining requests pays, from what runs of one and of several took.

For: `--max-batch-size` on a model whose runs are too short, or too busy, to gain by company.
Must not know: clocks, models, requests, or how they are joined.

To join costs too: BATCH_S of our own for each batch, shared by its requests, which wait for one
another besides. So it pays where one run alone takes longer than a request's part of a joint run
and of that. Both are known only while both happen: requests are joined until there were FIRST
joint runs, go alone until there were FIRST of those, and then the other way is tried every
TRIAL_RUNS runs, by one run alone or TRIAL_BATCHES batches. Who never had company is taken for a
batch of two.
"""

# Requests a second, one by one and joined, of a model of 7 us with 2, 8 and 32 connections
# (wrk, one EPYC core each): 19,000 and 10,000; 30,000 and 24,200; 28,500 and 35,700. What the
# run does not explain is 125 us a batch; some of it is the client's waiting for its answers.
BATCH_S = 100e-6
TRIAL_RUNS = 256
TRIAL_BATCHES = 2
FIRST = 8  # runs: some of them warm up, so the least of these is where to begin
_STEP = 1.1


class Typical:
    """The running median of durations: what one strange run can not move by more than a step."""

    __slots__ = ("_left", "value_s")

    def __init__(self) -> None:
        self.value_s = float("inf")
        self._left = FIRST

    @property
    def is_known(self) -> bool:
        """Whether there were enough."""
        return not self._left

    def saw(self, duration_s: float) -> None:
        """One more."""
        if self._left:
            self._left -= 1
            self.value_s = min(self.value_s, duration_s)
        elif duration_s > self.value_s:
            self.value_s *= _STEP
        else:
            self.value_s /= _STEP


class Joining:
    """Told of every run, it says whether the next requests are to be joined."""

    def __init__(self) -> None:
        self.pays = True
        self._alone = Typical()
        self._joint = Typical()  # a request's part of it, with all it costs
        self._runs = 0  # since the other way was tried

    def ran(self, run_s: float, requests: int) -> None:
        """A run of so many requests took so long."""
        if requests == 1:
            self._alone.saw(run_s)
        else:
            self._joint.saw((BATCH_S + run_s) / requests)
        if not self._alone.is_known:
            self.pays = not self._joint.is_known
            return
        alone_s = self._alone.value_s
        joint_s = self._joint.value_s if self._joint.is_known else (BATCH_S + alone_s) / 2
        pays = alone_s > joint_s
        self._runs = (self._runs + 1) % TRIAL_RUNS
        is_trial = self._runs >= TRIAL_RUNS - (1 if pays else TRIAL_BATCHES)
        self.pays = pays != is_trial
