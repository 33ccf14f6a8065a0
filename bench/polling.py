"""What it costs to follow a job: one look beside a bare Django view, and thousands of browsers that wait.

    python -m bench.polling --database sqlite
    python -m bench.polling --database postgresql

First both projects are asked as fast as they answer, in turn; what counts is the ratio within a round. Then so many
browsers wait as `--browsers` says, as poll.js does: each follows the job of its own user, asks when the answer before
said so, and sends the version that it has. Beside them a worker keeps its 32 threads busy with calls that take a
second, and some of the jobs make progress. All of it, this load generator included, shares one machine.
About four minutes.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psutil

from bench.command import spread, table
from bench.load import Answer, Client, Tally, hammer
from bench.web import Server, keep, offload, ratio, serve, sign_in, worker

BARE = "bare view: one row as JSON"
NAMES = {
    "unchanged": "unchanged: 304",
    "data": "changed: 200, the status as JSON",
    "card": "changed: 200, with the card's HTML",
    "session": "304, session and user looked up",
}
CHANGES = 20
"""Jobs that make progress each second while browsers wait for them."""
TIMEOUT = 15
"""Seconds after which poll.js gives a request up."""
OLDEST = 600
"""Seconds: the jobs are between none and so many old, as many of each age."""

People = list[tuple[str, dict[str, str]]]
"""The id of the job that each follows, and their cookies."""


def main() -> None:
    """Parse the command line, measure, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the comparison (%(default)s)")
    parser.add_argument("--seconds", type=float, default=3, help="for each in a round (%(default)s)")
    parser.add_argument("--connections", type=int, default=100, help="that ask all the time (%(default)s)")
    parser.add_argument("--browsers", type=int, default=5000, help="that wait (%(default)s; 0: leave this part out)")
    parser.add_argument("--waiting", type=float, default=60, help="seconds for which they are watched (%(default)s)")
    asked = parser.parse_args()
    with offload(asked.database, delay=1) as shared:
        with serve() as ours, serve("bench.bare_settings") as bare:
            compared = asyncio.run(compare(asked, ours, bare, make_jobs(asked.connections, steady=True)))
        found: dict[str, Any] = {}
        if asked.browsers:
            fill_queue(asked.waiting)
            with worker() as busy, serve() as ours:
                found = asyncio.run(wait(asked, ours, busy, make_jobs(asked.browsers, steady=False)))
        versions = shared.versions
    if compared:
        report(compared)
    if found:
        report_waiting(found)
    keep("polling", asked.database, versions, vars(asked), {"compared": compared, "waiting": found})


# --- One look --------------------------------------------------------------------------------------------------------


class Looks:
    """People who look at their jobs, each with a client of the site on `port`."""

    def __init__(self, port: int, people: People) -> None:
        self.clients = [Client(port, {"time_zone": "UTC", **cookies}) for _, cookies in people]
        self._jobs = {id(client): job for (job, _), client in zip(people, self.clients, strict=True)}
        self._versions: dict[tuple[int, str], str] = {}

    def at(self, how: str, *, known: bool, vouched: bool = True) -> Callable[[Client], Awaitable[Answer]]:
        """One look. how: "as=card" or "as=data". known: the client tells the version that it has.

        vouched: its cookie still says who it is, so that its session is not looked up.
        """

        async def ask(client: Client) -> Answer:
            if not vouched:
                client.cookies.pop("follower", None)
            key = (id(client), how)
            headers = {"If-None-Match": self._versions[key]} if known and key in self._versions else None
            path = f"/jobs/status.json?{how}&only=changes&id={self._jobs[id(client)]}"
            answer = await client.ask("GET", path, headers)
            self._versions[key] = answer.headers["etag"]
            return answer

        return ask


async def compare(
    asked: argparse.Namespace, ours: Server, bare: Server, people: People
) -> dict[str, list[dict[str, float]]]:
    """Ask for each in turn, round by round. Returns the figures of each round."""
    anybody = [Client(bare.port, {}) for _ in people]
    jobs = {id(client): job for (job, _), client in zip(people, anybody, strict=True)}

    async def read(client: Client) -> Answer:
        return await client.ask("GET", f"/read/{jobs[id(client)]}/")

    looks = Looks(ours.port, people)
    signed_in, status = looks.clients, looks.at
    targets: dict[str, tuple[Server, list[Client], Callable[[Client], Awaitable[Answer]]]] = {
        BARE: (bare, anybody, read),
        NAMES["unchanged"]: (ours, signed_in, status("as=card", known=True)),
        NAMES["data"]: (ours, signed_in, status("as=data", known=False)),
        NAMES["card"]: (ours, signed_in, status("as=card", known=False)),
        NAMES["session"]: (ours, signed_in, status("as=card", known=True, vouched=False)),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in targets}
    for number in range(-1, asked.rounds):
        for name in list(targets) if number % 2 else reversed(list(targets)):
            server, clients, ask = targets[name]
            before = server.cpu()
            tally = await hammer(clients, ask, asked.seconds if number >= 0 else 1)
            figures = tally.figures()
            figures["cpu_ms"] = (server.cpu() - before) / len(tally.latencies) * 1000
            figures |= {f"status {status}": count for status, count in tally.statuses.items()}
            if number >= 0:
                found[name].append(figures)
                print(f"round {number} {name}: " + ", ".join(f"{k} {v:,.1f}" for k, v in figures.items()), flush=True)
    for client in signed_in + anybody:
        client.close()
    return found


def make_jobs(count: int, *, steady: bool) -> People:
    """A job for each of so many new users: its id, and the user's cookies. Half of the jobs run, half wait.

    steady: they all run, for long, and none changes while it is looked at. Otherwise they are up to OLDEST old.
    """
    from django.utils import timezone

    from jobs.models import Job, Status, Worker

    Worker.objects.update_or_create(
        name="bench", defaults={"role": "media", "concurrency": 1, "seen_at": timezone.now() + timedelta(days=1)}
    )
    people = sign_in(count)
    moment = timezone.now() + timedelta(seconds=1)
    rows = []
    for number, (user, _) in enumerate(people):
        created = moment - timedelta(seconds=OLDEST if steady else OLDEST * number / count)
        row = Job(id=uuid4(), owner=user, kind="bench_media", queue="media", title=f"job {number}", payload_text="{}")
        row.created_at = row.run_at = created
        if steady or number % 2:
            row.status, row.worker, row.attempt, row.started_at = Status.RUNNING, "bench", 1, created
            row.lease_until = row.deadline = moment + timedelta(days=1)
        rows.append(row)
    Job.objects.bulk_create(rows, batch_size=500)
    return [(str(row.pk), cookies) for row, (_, cookies) in zip(rows, people, strict=True)]


def report(found: dict[str, list[dict[str, float]]]) -> None:
    """Print the table of the comparison."""
    reference = [one["per_second"] for one in found[BARE]]
    lines = []
    for name, rounds in found.items():
        column = {key: [one[key] for one in rounds] for key in ("per_second", "p50_ms", "p99_ms", "cpu_ms", "bytes")}
        cells = [spread(column["per_second"]), ratio(column["per_second"], reference), spread(column["p50_ms"], 1)]
        cells += [spread(column["p99_ms"]), spread(column["cpu_ms"], 2), spread(column["bytes"])]
        lines.append([name, *cells])
    head = ["one look", "a second", "beside the bare view", "p50 ms", "p99 ms", "server CPU ms", "bytes both ways"]
    print("\nMedian (minimum–maximum) of the rounds\n\n" + table(head, lines))


# --- Thousands of browsers -------------------------------------------------------------------------------------------


def fill_queue(seconds: float) -> None:
    """Jobs that keep 32 threads busy for longer than the browsers are watched."""
    from bench.app.kind import OnThreads
    from jobs.core import lifecycle
    from jobs.kind import Submission

    for _ in range(int(32 * (seconds + 60)) // 500 + 1):
        lifecycle.submit(OnThreads(), [Submission({"task": "api", "number": 0}, "bench")] * 500, owner=None)


async def wait(asked: argparse.Namespace, server: Server, busy: Server, people: People) -> dict[str, Any]:
    """Let all browsers come within half a minute, then watch them."""
    tally, open_page = Tally(), time.perf_counter()
    watched = open_page + 30
    end = watched + asked.waiting
    opened: list[int] = []
    failures = 0

    async def browse(job: str, cookies: dict[str, str], comes: float) -> None:
        nonlocal failures
        client = Client(server.port, {"time_zone": "UTC", **cookies})
        version = ""
        pause = 0.3
        await asyncio.sleep(max(0, comes - time.perf_counter()))
        while time.perf_counter() + pause < end:
            await asyncio.sleep(pause * random.uniform(0.9, 1.1))
            headers = {"Accept": "application/json", "If-None-Match": f'"{version}"'}
            try:
                path = f"/jobs/status.json?as=card&only=changes&id={job}"
                answer = await asyncio.wait_for(client.ask("GET", path, headers), TIMEOUT)
            except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                failures += 1
                client.close()
                pause = min(2 * pause, 30)
                continue
            if time.perf_counter() > watched:
                tally.add(answer)
            if answer.status == 200:
                told = json.loads(answer.body)
                version = next((one["version"] for one in told["jobs"]), version)
                pause = told["poll_after"]
        opened.append(client.opened)
        client.close()

    def cpu() -> dict[str, float]:
        return {"web": server.cpu(), "worker": busy.cpu(), "clients": sum(psutil.Process().cpu_times()[:2])}

    async def measure() -> dict[str, float]:
        await asyncio.sleep(watched - time.perf_counter())
        before = cpu()
        await asyncio.sleep(end - time.perf_counter() - 0.1)
        return {name: (used - before[name]) / asked.waiting for name, used in cpu().items()}

    comings = [open_page + random.uniform(0, 25) for _ in people]
    used, _, *_rest = await asyncio.gather(
        measure(),
        asyncio.to_thread(make_progress, [job for job, _ in people], end),
        *(browse(job, cookies, comes) for (job, cookies), comes in zip(people, comings, strict=True)),
    )
    tally.span = asked.waiting
    return {
        **tally.figures(),
        "max_ms": max(tally.latencies) * 1000,
        "statuses": tally.statuses,
        "failures": failures,
        "connections": sum(opened),
        "cores": used,
        "requests a minute and browser": len(tally.latencies) / asked.waiting * 60 / asked.browsers,
        "bytes a minute and browser": tally.sizes / asked.waiting * 60 / asked.browsers,
    }


def make_progress(jobs: list[str], end: float) -> None:
    """Let some of the running jobs make progress each second."""
    from django.db import connection
    from django.db.models import F

    from jobs.models import Job, Status

    while time.perf_counter() < end:
        some = Job.objects.filter(pk__in=random.sample(jobs, min(len(jobs), 2 * CHANGES)), status=Status.RUNNING)
        some.filter(progress_percent__lt=99).update(progress_percent=F("progress_percent") + 1)
        time.sleep(1)
    connection.close()


def report_waiting(found: dict[str, Any]) -> None:
    """Print what the waiting browsers saw and cost."""
    print()
    for name, value in found.items():
        print(f"{name}: {value if isinstance(value, dict | int) else f'{value:,.1f}'}")


if __name__ == "__main__":
    main()
