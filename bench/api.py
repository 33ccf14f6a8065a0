"""Jobs that wait 200 ms for an HTTP API: how many a second two worker processes do, with so many in flight.

Every system calls the same slow server with the same client and finds its jobs in line when its workers start.
"""

import asyncio
from typing import Any

from bench import command, measure, report, slow
from bench.services import Services
from bench.slow import DELAY


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

    result = command.in_rounds("api", asked.database, systems, asked.rounds, run, {**vars(asked), "ceiling": ceilings})
    print(report.tables("api", result))


if __name__ == "__main__":
    main()
