"""`python -m tests.simulation --seed 0 --runs 200`: as many seeds, from one on."""

import argparse
import sys
import time

from tests.simulation.simulation import Result, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--runs", type=int, default=200, help="how many seeds")
    parser.add_argument("--trace", action="store_true", help="print every line of each run")
    arguments = parser.parse_args()
    failed = 0
    began_s = time.monotonic()
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        result = run(seed, echo=print if arguments.trace else None)
        if result.violation:
            failed += 1
            _tell(result)
        done = seed - arguments.seed + 1
        if arguments.runs == 1 or done % 20 == 0:
            each_s = (time.monotonic() - began_s) / done
            print(f"seed {seed} trace {result.hash}: {done} runs, {each_s:.2f} s each", flush=True)
    print(f"{arguments.runs - failed} passed, {failed} failed")
    return 1 if failed else 0


def _tell(result: Result) -> None:
    print(f"\nseed {result.seed} FAILED after {result.virtual_s:.1f} virtual seconds")
    print(f"  {result.violation}\nThe last {len(result.last)} of {result.lines} lines:")
    for line in result.last:
        print(f"  {line}")
    print(f"Again: python -m tests.simulation --seed {result.seed} --runs 1 --trace\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
