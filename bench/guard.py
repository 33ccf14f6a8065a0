"""Whether a change costs speed: this code beside that of a commit, in turn on the same machine, on PostgreSQL.

    python -m bench.guard --base COMMIT

Each side runs from its own tree with its own benches (bench/side.py). What counts is the ratio within a round, so that
the machine's moods fall on both. A case whose median is below 0.95 gets more rounds as long as there is time; the exit
code says whether one stays below. About ten minutes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.command import machine, spread, table
from bench.services import ROOT

CASES = {
    "line": ("no-op jobs/s out of a line of 20,000", True),
    "64": ("jobs/s at a 200 ms API, 64 in flight", True),
    "256": ("jobs/s at a 200 ms API, 256 in flight", True),
    "pick-up": ("pick-up, p50 ms", False),
    "submit": ("one submit, p50 ms", False),
    "304": ("polls/s, unchanged (304)", True),
    "card": ("polls/s, changed (a card)", True),
}
"""What each is, and whether more is better."""
ENOUGH = 0.95
MINUTES = 10


def main() -> None:
    """Parse the command line, measure, report, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", required=True, help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all cases (%(default)s)")
    asked = parser.parse_args()
    end = time.monotonic() + MINUTES * 60
    parse = ["git", "rev-parse", "--short", "--verify", f"{asked.base}^{{commit}}"]
    base = subprocess.run(parse, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    if not base:
        raise SystemExit(f"{asked.base} is no commit of this repository: make bench-guard BASE=<commit>")
    ratios: dict[str, list[float]] = {case: [] for case in CASES}
    figures: dict[str, list[tuple[float, float]]] = {case: [] for case in CASES}
    with ExitStack() as stack:
        before = stack.enter_context(side(stack.enter_context(tree_of(base))))
        after = stack.enter_context(side(ROOT))
        number, slowest = 0, 0.0
        doubtful = list(CASES)
        while doubtful and (number < asked.rounds or time.monotonic() + slowest < end):
            began = time.monotonic()
            for case in doubtful:
                order = (before, after) if number % 2 else (after, before)
                values = {id(one): one.measure(case) for one in order}
                pair = values[id(before)], values[id(after)]
                figures[case].append(pair)
                ratios[case].append(pair[1] / pair[0] if CASES[case][1] else pair[0] / pair[1])
                print(f"round {number}, {case}: {pair[0]:,.2f} → {pair[1]:,.2f}, {ratios[case][-1]:.2f}", flush=True)
            number += 1
            slowest = max(slowest, time.monotonic() - began)
            if number >= asked.rounds:
                doubtful = below(ratios)
    report(base, figures, ratios)
    if failed := below(ratios):
        raise SystemExit(f"Below {ENOUGH} of before: {', '.join(failed)}")


def below(ratios: dict[str, list[float]]) -> list[str]:
    """The cases whose median ratio is too low."""
    return [case for case, seen in ratios.items() if statistics.median(seen) < ENOUGH]


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="offload-before-") as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", tree, commit], cwd=ROOT, check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)


class Side:
    """One tree, measured by a process of its own."""

    def __init__(self, tree: Path) -> None:
        python = sys.executable
        if (tree / "requirements/bench.txt").read_bytes() != (ROOT / "requirements/bench.txt").read_bytes():
            subprocess.run(["make", "--silent", ".venv-bench/installed"], cwd=tree, check=True)
            python = str(tree / ".venv-bench/bin/python")
        self.tree = tree
        self.process = subprocess.Popen(
            [python, "-m", "bench.side"], cwd=tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def measure(self, case: str) -> float:
        """The figure of one run of a case. Raises SystemExit if the side has died."""
        assert self.process.stdin
        assert self.process.stdout
        try:
            print(case, file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise SystemExit(f"{case} could not be measured in {self.tree}: see above.")
        return float(answer)


@contextmanager
def side(tree: Path) -> Iterator[Side]:
    """The process of one side, ended with all that it started."""
    started = Side(tree)
    try:
        yield started
    finally:
        assert started.process.stdin
        started.process.stdin.close()  # which it takes for the end
        started.process.wait(60)


def report(base: str, figures: dict[str, list[tuple[float, float]]], ratios: dict[str, list[float]]) -> None:
    """Print the table, and keep the figures."""
    lines = [
        [
            name,
            spread([one for one, _ in figures[case]], 1),
            spread([one for _, one in figures[case]], 1),
            spread(ratios[case], 2),
        ]
        for case, (name, _) in CASES.items()
    ]
    print(f"\nMedian (minimum–maximum); a ratio above 1 is faster than {base}\n")
    print(table(["case", f"before ({base})", "now", "ratio"], lines))
    path = ROOT / "bench" / "results" / "guard.json"
    path.write_text(json.dumps({"environment": machine(), "base": base, "figures": figures}, indent=1) + "\n")
    print(f"\nRaw figures: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
