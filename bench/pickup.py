"""How long a job waits when nothing else does: from the commit to the first line of its code.

Jobs are submitted one at a time to workers that wait. Both moments are read from the same machine's clock.
"""

from typing import Any

from bench import command, measure, report
from bench.services import Services


def main() -> None:
    """Measure and report."""
    options = command.parser(__doc__ or "", rounds=3)
    options.add_argument("--jobs", type=int, default=300, help="jobs of one run (%(default)s)")
    options.add_argument("--pause", type=float, default=0.03, help="seconds between two, on average (%(default)s)")
    options.add_argument(
        "--at-once", type=int, default=32, help="jobs at once in one process, on threads (%(default)s)"
    )
    asked = options.parse_args()
    systems = command.chosen(asked.systems, lambda system: True, asked.database)

    def run(services: Services, setup: measure.Setup, number: int) -> dict[str, dict[str, Any]]:
        at_once = asked.at_once if setup.system.threads else 1
        return {"pick-up": measure.pick_up(setup, at_once, 20 if number < 0 else asked.jobs, asked.pause)}

    result = command.in_rounds("pickup", asked.database, systems, asked.rounds, run, vars(asked))
    print(report.tables("pickup", result))


if __name__ == "__main__":
    main()
