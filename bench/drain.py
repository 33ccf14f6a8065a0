"""Jobs that do nothing: how many a second two worker processes take out of a full line, the outcome persisted.

The clock stops when the last outcome is committed, where a system keeps one.
"""

from typing import Any

from bench import command, measure, report
from bench.services import Services


def main() -> None:
    """Measure and report."""
    options = command.parser(__doc__ or "", rounds=3)
    options.add_argument(
        "--at-once", type=int, default=32, help="jobs at once in one process, on threads (%(default)s)"
    )
    options.add_argument("--seconds", type=float, default=6, help="how long one run should take (%(default)s)")
    asked = options.parse_args()
    systems = command.chosen(asked.systems, lambda system: True, asked.database)
    counts: dict[str, int] = {}

    def run(services: Services, setup: measure.Setup, number: int) -> dict[str, dict[str, Any]]:
        name = setup.system.name
        at_once = asked.at_once if setup.system.threads else 1
        sample = measure.throughput(setup, "noop", at_once, counts.get(name, 300), limit=asked.seconds * 3)
        counts[name] = max(200, int(sample["whole"] * asked.seconds))
        return {"no-op": sample}

    result = command.in_rounds("drain", asked.database, systems, asked.rounds, run, vars(asked))
    print(report.tables("drain", result))


if __name__ == "__main__":
    main()
