"""One side of `bench.guard`: measures the code that it lies beside, one case whenever it is asked to.

    python -m bench.side

Reads the name of a case a line from the standard input and answers with a number. `CASES` says which there are.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from bench import measure
from bench.load import hammer
from bench.polling import Looks, make_jobs
from bench.submit import clients, submit_form
from bench.systems import SYSTEMS
from bench.web import offload, serve, sign_in

SECONDS = 3
"""How long the web cases take."""
LINE = 20_000
LOOKING = 100
"""Clients that ask for a job's status all the time: so many that the web processes share them evenly."""


def main() -> None:
    """Serve until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    with suppress(KeyboardInterrupt), offload("postgresql") as shared, serve() as web:
        setup = measure.Setup(next(system for system in SYSTEMS if system.name == "offload"), shared)
        looks = Looks(web.port, make_jobs(LOOKING, steady=True))
        # One: two may stand in two web processes or wait for each other in one, as the kernel throws them.
        submitting = clients(web.port, [cookies for _, cookies in sign_in(1)])

        def api(in_flight: int) -> float:
            count = in_flight * 5 * 4  # four seconds, as each takes 200 ms
            return float(measure.throughput(setup, "api", in_flight // 2, count, limit=30)["steady"])

        async def web_cases() -> None:
            status = looks.at("as=card", known=True)
            await hammer(looks.clients, status, 0.5)
            cases: dict[str, Callable] = {
                "submit": lambda: hammer(submitting, submit_form, SECONDS),
                "304": lambda: hammer(looks.clients, status, SECONDS),
                "card": lambda: hammer(looks.clients, looks.at("as=card", known=False), SECONDS),
            }
            while name := await asyncio.to_thread(sys.stdin.readline):
                name = name.strip()
                if name in cases:
                    figures = (await cases[name]()).figures()
                    value = figures["p50_ms"] if name == "submit" else figures["per_second"]
                else:
                    value = await asyncio.to_thread(others[name])
                print(value, file=answers, flush=True)

        others: dict[str, Callable[[], float]] = {
            "line": lambda: measure.throughput(setup, "noop", 32, LINE, limit=120)["whole"],
            "64": lambda: api(64),
            "256": lambda: api(256),
            "pick-up": lambda: measure.pick_up(setup, 32, 150, 0.03)["p50"],
        }
        try:
            asyncio.run(web_cases())
        finally:
            setup.close()


if __name__ == "__main__":
    os.environ.setdefault("BENCH_LOG", os.devnull)
    main()
