"""Jobs that wait 200 ms for an HTTP API: how many a second two worker processes do, with so many in flight.

python -m bench.api --database postgresql --in-flight 64,256 --rounds 3
"""

import asyncio
from typing import Any

from bench import command, measure, slow
from bench.services import Services
from bench.systems import SYSTEMS

DELAY = 0.2


def main() -> None:
    """Measure and report."""
    options = command.parser(__doc__ or "", rounds=3)
    options.add_argument("--in-flight", default="64,256", help="jobs at once over both processes (%(default)s)")
    options.add_argument("--seconds", type=float, default=8, help="how long one run should take (%(default)s)")
    asked = options.parse_args()
    systems = command.chosen(asked.systems, lambda system: system.threads, asked.database)
    cases = [int(number) for number in asked.in_flight.split(",")]
    counts: dict[tuple[str, int], int] = {}
    ceilings: list[float] = []

    def run(services: Services, setup: measure.Setup, number: int) -> dict[str, dict[str, Any]]:
        if not ceilings:
            ceilings.append(asyncio.run(slow.ceiling(services.slow_port)))
            print(f"The slow server answers {ceilings[0]:,.0f} requests/s, 800 at once (limit {800 / DELAY:,.0f})")
        seen = {}
        for in_flight in cases:
            key = (setup.system.name, in_flight)
            count = counts.get(key, in_flight * 10)
            sample = measure.throughput(setup, "api", in_flight // 2, count, limit=asked.seconds * 3)
            counts[key] = max(in_flight * 10, int(sample["steady"] * asked.seconds))
            seen[f"{in_flight} in flight"] = sample
        return seen

    samples = command.in_rounds("api", asked.database, systems, asked.rounds, run, {**vars(asked), "ceiling": ceilings})
    for case, by_system in samples.items():
        limit = int(case.split()[0]) / DELAY
        lines = []
        for system in SYSTEMS:
            if runs := by_system.get(system.name):
                rates = [one["steady"] for one in runs]
                lines.append(
                    [
                        system.label,
                        command.spread(rates),
                        f"{100 * sorted(rates)[len(rates) // 2] / limit:.0f} %",
                        *command.costs(runs),
                        system.state or "–",
                    ]
                )
        head = ["system", "jobs/s", f"of {limit:,.0f}", *command.COSTS, "outcome kept in"]
        print(f"\n{asked.database}, {case}: median (minimum–maximum) of {asked.rounds} rounds\n")
        print(command.table(head, lines))


if __name__ == "__main__":
    main()
