"""Jobs that do nothing: how many a second two worker processes take out of a full line, the outcome persisted.

The clock stops when the last outcome is committed, where a system keeps one.
"""

from typing import Any

from bench import command, measure, report
from bench.services import Services


def main() -> None:
    """Measure and report."""
    options = command.parser(__doc__ or "", rounds=3)
    options.add_argument("--at-once", default="8,32", help="threads of a process to try; the best counts (%(default)s)")
    options.add_argument("--seconds", type=float, default=6, help="how long one run should take (%(default)s)")
    options.add_argument("--line", type=int, default=0, help="so many jobs in line at least (20000 and more tell more)")
    asked = options.parse_args()
    systems = command.chosen(asked.systems, lambda system: True, asked.database)
    tried = [int(number) for number in asked.at_once.split(",")]
    counts: dict[tuple[str, int], int] = {}

    def run(services: Services, setup: measure.Setup, number: int) -> dict[str, dict[str, Any]]:
        seen = {}
        for at_once in tried if setup.system.threads else [1]:
            key = (setup.system.name, at_once)
            limit = asked.seconds * 3 + asked.line / 1000
            sample = measure.throughput(setup, "noop", at_once, counts.get(key, asked.line or 300), limit)
            counts[key] = max(asked.line or 400, int(sample["whole"] * asked.seconds))
            seen[f"{at_once} at once"] = sample
        return seen

    result = command.in_rounds("drain", asked.database, systems, asked.rounds, run, vars(asked))
    print(report.tables("drain", result))


if __name__ == "__main__":
    main()
