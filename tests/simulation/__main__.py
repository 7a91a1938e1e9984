"""`python -m tests.simulation --seed 0 --runs 200`: as many seeds, from one on."""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.mutations import MUTATIONS
from tests.simulation.simulation import Result, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--runs", type=int, default=200, help="how many seeds")
    parser.add_argument("--trace", action="store_true", help="print every line of each run")
    parser.add_argument("--mutations", action="store_true", help="break production code first")
    arguments = parser.parse_args()
    if arguments.mutations:
        return _mutate(arguments.seed, arguments.runs)
    failed = 0
    fates: Counter[str] = Counter()
    began_s = time.monotonic()
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        result = run(seed, echo=print if arguments.trace else None)
        fates.update(result.fates)
        if result.violation:
            failed += 1
            _tell(result)
        done = seed - arguments.seed + 1
        if arguments.runs == 1 or done % 20 == 0:
            each_s = (time.monotonic() - began_s) / done
            print(f"seed {seed} trace {result.hash}: {done} runs, {each_s:.2f} s each", flush=True)
    counts = ", ".join(f"{count} {fate}" for fate, count in sorted(fates.items()))
    print(f"requests: {counts}")
    print(f"{arguments.runs - failed} passed, {failed} failed")
    return 1 if failed else 0


def _mutate(first: int, runs: int) -> int:
    """Each break has to be found by one of the seeds."""
    missed = 0
    for name, mutation in MUTATIONS.items():
        found = None
        for seed in range(first, first + runs):
            with mutation():
                result = run(seed)
            if result.violation:
                found = result
                break
        if found is None:
            missed += 1
            print(f"{name}: MISSED by {runs} seeds", flush=True)
        else:
            print(f"{name}: seed {found.seed}: {found.violation[:160]}", flush=True)
    print(f"{len(MUTATIONS) - missed} found, {missed} missed")
    return 1 if missed else 0


def _tell(result: Result) -> None:
    print(f"\nseed {result.seed} FAILED after {result.virtual_s:.1f} virtual seconds")
    print(f"  {result.violation}\nThe last {len(result.last)} of {result.lines} lines:")
    for line in result.last:
        print(f"  {line}")
    print(f"Again: python -m tests.simulation --seed {result.seed} --runs 1 --trace\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
