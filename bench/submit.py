"""What it costs to submit a job, beside views that only insert a row: of a bare Django project, and of Offload's site.

    python -m bench.submit --database sqlite
    python -m bench.submit --database postgresql

Two clients submit one form after another, to each project in turn; what counts is the ratio within a round. Offload's
jobs are taken by a worker meanwhile: the API that it calls takes 10 s. One of Offload's servers can't reach Redis:
nobody listens there; for another one, Redis is frozen: it takes connections and answers nothing. About three minutes.
"""

import argparse
import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.command import spread, table
from bench.load import Answer, Client, hammer
from bench.web import Server, keep, offload, ratio, serve, sign_in, worker

TOKEN = "x" * 32
"""CSRF token, in the cookie and in the form."""
FORM = "/jobs/new/bench_form/"
BARE = "bare view: insert a row"
CHECKED = "bare view: session, user, CSRF, form, insert a row"
SITE = "a view of Offload's site: form, insert a row"
OURS = "Offload: the form, answered 303"
CASES = (BARE, CHECKED, SITE, OURS, "Offload: the same, nobody listens for Redis", "Offload: the same, Redis is frozen")
JSON = "Offload: JSON, answered 202 with the status"

Target = tuple[Server, list[Client], Callable[[Client], Awaitable[Answer]]]


def main() -> None:
    """Parse the command line, measure, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--rounds", type=int, default=7, help="rounds over all cases (%(default)s)")
    parser.add_argument("--seconds", type=float, default=3, help="for each in a round (%(default)s)")
    parser.add_argument("--clients", type=int, default=2, help="that submit side by side (%(default)s)")
    asked = parser.parse_args()
    with offload(asked.database, delay=10) as shared:
        fill_queue()
        people = sign_in(asked.clients)
        nobody = f"unix://{shared.folder}/nobody.sock"
        with (
            worker(),
            frozen(shared.folder / "frozen.sock") as mute,
            serve("bench.bare_settings") as bare,
            serve() as ours,
            serve(REDIS_URL=nobody) as without,
            serve(REDIS_URL=mute) as waiting,
        ):
            servers = (bare, bare, ours, ours, without, waiting)
            found = asyncio.run(measure(asked, dict(zip(CASES, servers, strict=True)), ours, [c for _, c in people]))
        versions = shared.versions
    report(found)
    keep("submit", asked.database, versions, vars(asked), {"samples": found})


def fill_queue() -> None:
    """Jobs that keep all 32 threads of the worker waiting for the API from now on."""
    from bench.app.kind import OnThreads
    from jobs.core import lifecycle
    from jobs.kind import Submission

    lifecycle.submit(OnThreads(), [Submission({"task": "api", "number": 0}, "bench")] * 1000, owner=None)


@contextmanager
def frozen(path: Path) -> Iterator[str]:
    """A Redis that takes connections and answers nothing: its address."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1024)
        yield f"unix://{path}"


def clients(port: int, cookies: list[dict[str, str]]) -> list[Client]:
    """A client for each signed-in person, with a CSRF token."""
    return [Client(port, {"csrftoken": TOKEN, **one}) for one in cookies]


async def submit_form(client: Client, path: str = FORM) -> Answer:
    """Submit the form, and get the address of the job's page."""
    body = urlencode({"text": "hello", "csrfmiddlewaretoken": TOKEN}).encode()
    answer = await client.ask("POST", path, {"Content-Type": "application/x-www-form-urlencoded"}, body)
    assert answer.status == 303, answer
    return answer


async def measure(
    asked: argparse.Namespace, servers: dict[str, Server], ours: Server, cookies: list[dict[str, str]]
) -> dict[str, list[dict[str, float]]]:
    """Submit to each in turn, round by round. Returns the figures of each round."""

    async def data(client: Client) -> Answer:
        headers = {"Content-Type": "application/json", "X-CSRFToken": TOKEN}
        answer = await client.ask("POST", "/jobs/new/bench_form/", headers, b'{"text": "hello"}')
        assert answer.status == 202, answer
        return answer

    paths = {BARE: "/insert/", CHECKED: "/insert-checked/", SITE: "/bench_form/insert/"}
    targets: dict[str, Target] = {
        name: (server, clients(server.port, cookies), partial(submit_form, path=paths.get(name, FORM)))
        for name, server in servers.items()
    }
    targets[JSON] = (ours, clients(ours.port, cookies), data)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in targets}
    for number in range(-1, asked.rounds):
        for name in list(targets) if number % 2 else reversed(list(targets)):
            server, some, ask = targets[name]
            before = server.cpu()
            tally = await hammer(some, ask, asked.seconds if number >= 0 else 1)
            figures = tally.figures()
            figures["mean_ms"] = sum(tally.latencies) / len(tally.latencies) * 1000
            figures["cpu_ms"] = (server.cpu() - before) / len(tally.latencies) * 1000
            if number >= 0:
                found[name].append(figures)
                print(f"round {number} {name}: " + ", ".join(f"{k} {v:,.2f}" for k, v in figures.items()), flush=True)
    for _, some, _ in targets.values():
        for client in some:
            client.close()
    return found


def report(found: dict[str, list[dict[str, float]]]) -> None:
    """Print the table."""
    lines = []
    for name, rounds in found.items():
        column: dict[str, list[Any]] = {key: [one[key] for one in rounds] for key in rounds[0]}
        cells = [spread(column[key], 1) for key in ("mean_ms", "p50_ms", "p99_ms")]
        cells += [ratio(column["p50_ms"], [one["p50_ms"] for one in found[other]]) for other in (SITE, CHECKED, BARE)]
        lines.append([name, *cells, spread(column["cpu_ms"], 2)])
    head = [
        "submit",
        "mean ms",
        "p50 ms",
        "p99 ms",
        "p50 beside site",
        "p50 beside checked",
        "p50 beside bare",
        "server CPU ms",
    ]
    print("\nMedian (minimum–maximum) of the rounds\n\n" + table(head, lines))


if __name__ == "__main__":
    main()
