"""What slow clients cost everybody else: thousands of connections from one address that do next to nothing.

    python -m bench.slow_clients --database sqlite
    python -m bench.slow_clients --database sqlite --limit 100000

Twenty visitors follow their jobs and look at a page, again and again with a pause; once a second `/healthz` is asked.
That is measured without and then beside an attacker at another address of the loopback interface, who keeps
`--connections` open as well as he can, one sort after another: whoever is cut off comes again after five seconds.
`--limit`: so many connections of one address are taken in place of the default; a large one leaves all the work to the
event loop. Ten minutes; `--seconds 20` does it in four.
"""

import argparse
import asyncio
import multiprocessing
import random
import resource
import socket
import time
from contextlib import suppress

import psutil

from bench.command import table
from bench.load import Answer, Client, Tally
from bench.polling import make_jobs
from bench.web import Server, keep, offload, serve

ATTACKER = "127.0.0.2"
VISITORS = 20
PAUSE = 0.1
"""Seconds between an answer and the next request of the same visitor."""
DRIP = 5
"""Seconds between two bytes, and until somebody who was cut off comes again."""
LARGE = "/static/admin/js/vendor/jquery/jquery.js"
SORTS = {
    "silent": b"",
    "head": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ",
    "body": (
        b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 60000\r\n\r\n"
    ),
    "reader": b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % LARGE.encode(),
}
"""What each sort sends before it drips, or, the last one, reads drop by drop."""


def main() -> None:
    """Parse the command line, measure, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--connections", type=int, default=2000, help="that the attacker keeps (%(default)s)")
    parser.add_argument("--seconds", type=float, default=120, help="for each sort (%(default)s)")
    parser.add_argument("--limit", type=int, help="connections of one address that a web process takes")
    asked = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found: dict[str, dict[str, float]] = {}
    with offload(asked.database) as shared:
        from django.conf import settings

        people = make_jobs(VISITORS, steady=True)
        for sort in SORTS:
            with serve(CONNECTIONS_PER_ADDRESS=str(asked.limit or settings.CONNECTIONS_PER_ADDRESS)) as site:
                for case, attack in ((f"nobody, before {sort}", ""), (sort, sort)):
                    found[case] = asyncio.run(visit(site, people, attack, asked))
                    print(f"{case}: " + ", ".join(f"{k} {v:,.2f}" for k, v in found[case].items()), flush=True)
        versions = shared.versions
    report(found)
    keep(
        "slow-clients" + ("-unlimited" if asked.limit else ""), asked.database, versions, vars(asked), {"found": found}
    )


async def visit(
    site: Server, people: list[tuple[str, dict[str, str]]], sort: str, asked: argparse.Namespace
) -> dict[str, float]:
    """What visitors see beside this sort of attack ("": none), and what the web processes use."""
    attacker = None
    seconds = asked.seconds if sort else min(asked.seconds, 30)
    warm_up = 2 * DRIP  # until the attacker has opened them all
    if sort:
        arguments = (site.port, sort, asked.connections, asked.seconds + 15)
        attacker = multiprocessing.get_context("spawn").Process(target=attack, args=arguments, daemon=True)
        attacker.start()
    tally, healthy, failed = Tally(), Tally(), 0
    begin = time.perf_counter() + warm_up
    end = begin + seconds

    async def ask(client: Client, path: str, into: Tally) -> None:
        nonlocal failed
        began = time.perf_counter()
        try:
            answer = await asyncio.wait_for(client.ask("GET", path), 10)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            client.close()
            answer = Answer(0, {}, b"", time.perf_counter() - began, 0)
        if began > begin:
            into.add(answer)
            failed += not answer.status

    async def follow(job: str, cookies: dict[str, str]) -> None:
        client = Client(site.port, {"time_zone": "UTC", **cookies})
        paths = [f"/jobs/status.json?as=card&only=changes&id={job}"] * 4 + ["/accounts/login/"]
        while time.perf_counter() < end:
            await asyncio.sleep(PAUSE * random.uniform(0.5, 1.5))
            await ask(client, random.choice(paths), tally)
        client.close()

    async def probe() -> None:
        while time.perf_counter() < end:
            await ask(Client(site.port, {}), "/healthz", healthy)
            await asyncio.sleep(1)

    visits = asyncio.gather(probe(), *(follow(job, dict(cookies)) for job, cookies in people))
    await asyncio.sleep(warm_up)
    before = site.cpu()
    await asyncio.sleep(seconds * 0.9)
    memory, taken = footprint(site)
    await visits
    tally.span = healthy.span = seconds
    used = (site.cpu() - before) / seconds
    if attacker:
        attacker.terminate()
        attacker.join()
    figures, health = tally.figures(), healthy.figures()
    return {
        "a second": figures["per_second"],
        "p50_ms": figures["p50_ms"],
        "p99_ms": figures["p99_ms"],
        "healthz_p99_ms": health["p99_ms"],
        "failed": failed,
        "attacker's connections": taken,
        "cores": used,
        "MB": memory,
    }


def footprint(site: Server) -> tuple[float, int]:
    """MB of memory of the web processes, and how many connections of the attacker they have."""
    parent = psutil.Process(site.process.pid)
    family = [parent, *parent.children(recursive=True)]
    connections = [one for member in family for one in member.net_connections("tcp") if one.raddr]
    return sum(one.memory_info().rss for one in family) / 1e6, sum(one.raddr.ip == ATTACKER for one in connections)


# --- The attacker, a process of its own ------------------------------------------------------------------------------


def attack(port: int, sort: str, count: int, seconds: float) -> None:
    """Keep so many connections of this sort open for so long."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def all_of_them() -> None:
        await asyncio.wait([asyncio.create_task(keep_one(port, sort)) for _ in range(count)], timeout=seconds)

    asyncio.run(all_of_them())


async def keep_one(port: int, sort: str) -> None:
    """One slow client, who comes again when he is cut off."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(random.uniform(0, DRIP))
    while True:
        with socket.socket() as client, suppress(OSError, EOFError):
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.bind((ATTACKER, 0))
            await loop.sock_connect(client, ("127.0.0.1", port))
            await loop.sock_sendall(client, SORTS[sort])
            while True:
                if sort == "reader":
                    if not await loop.sock_recv(client, 1):
                        raise EOFError
                    await asyncio.sleep(DRIP)
                    continue
                with suppress(TimeoutError):
                    if not await asyncio.wait_for(loop.sock_recv(client, 4096), DRIP):
                        raise EOFError
                if sort != "silent":
                    await loop.sock_sendall(client, b"x")
        await asyncio.sleep(DRIP)


def report(found: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    head = ["beside", *next(iter(found.values()))]
    print("\n" + table(head, [[sort, *(f"{value:,.1f}" for value in one.values())] for sort, one in found.items()]))


if __name__ == "__main__":
    main()
