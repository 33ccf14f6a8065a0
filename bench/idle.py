"""What workers cost that have nothing to do: `manage.py rqworker` with its default roles, looked at for some minutes.

    python -m bench.idle --database postgresql

CPU is the kernel's count. Redis counts its commands; the queries are those that PostgreSQL writes to its log (SQLite
works inside of the workers and counts none; the code is the same).
"""

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis

from bench import command
from bench.measure import Setup
from bench.services import ROOT, Services, services
from bench.systems import SYSTEMS

SETTLE_SECONDS = 15
"""Until every process has registered and the sweep has found its leader."""


def main() -> None:
    """Measure and report."""
    options = command.parser(__doc__ or "", rounds=3)
    options.add_argument("--seconds", type=float, default=60, help="how long one look takes (%(default)s)")
    asked = options.parse_args()
    (offload,) = [system for system in SYSTEMS if system.name == "offload"]
    idle = replace(offload, workers=lambda _: [[sys.executable, "manage.py", "rqworker"]])
    with (
        tempfile.TemporaryDirectory(prefix="offload-bench-") as folder,
        services(Path(folder), asked.database) as shared,
    ):
        count = Counter(shared)
        setup = Setup(idle, shared)
        try:
            setup.reset()
            with setup.workers(0) as watch:
                time.sleep(SETTLE_SECONDS)
                looks = []
                for _ in range(asked.rounds):
                    began, cpu, seen = time.monotonic(), watch.cpu(), count()
                    time.sleep(asked.seconds)
                    took = time.monotonic() - began
                    look: dict[str, Any] = {
                        f"{name} CPU %": (seconds - cpu[name]) / took * 100 for name, seconds in watch.cpu().items()
                    }
                    look |= {f"{name}/s": (number - seen[name]) / took for name, number in count().items()}
                    look["memory MB"] = watch.memory()
                    looks.append(look)
                    print(", ".join(f"{name} {number:.2f}" for name, number in look.items()), flush=True)
                assert watch.alive(), setup.log()
                by_command = count.by_command()
        finally:
            setup.close()
        environment = {**command.machine(), **shared.versions}
    path = ROOT / "bench" / "results" / f"idle-{asked.database}.json"
    found = {"environment": environment, "options": vars(asked), "looks": looks, "redis commands": by_command}
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\n{asked.database}: median (minimum–maximum) of {asked.rounds} looks, {asked.seconds:g} s each\n")
    print(command.table(["", "idle"], [[name, command.spread([one[name] for one in looks], 2)] for name in looks[0]]))
    print(f"\nRaw results: {path.relative_to(ROOT)}")


class Counter:
    """Counts what reaches the servers."""

    def __init__(self, shared: Services) -> None:
        self._redis = redis.Redis(unix_socket_path=str(shared.redis_socket))
        self._log = shared.folder / "postgresql" / "log"
        if shared.database_pid:
            import psycopg

            with psycopg.connect(shared.database("counted"), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET log_statement = 'all'")
                connection.execute("SELECT pg_reload_conf()")

    def __call__(self) -> dict[str, int]:
        """Redis commands so far, those of this counter left out, and queries so far."""
        counted = {"Redis commands": sum(self.by_command().values())}
        if self._log.exists():
            text = self._log.read_text(errors="replace")
            counted["queries"] = text.count("LOG:  statement: ") + text.count("LOG:  execute ")
        return counted

    def by_command(self) -> dict[str, int]:
        """Redis commands so far by name."""
        stats: dict[str, Any] = self._redis.info("commandstats")
        return {name.removeprefix("cmdstat_"): one["calls"] for name, one in stats.items() if name != "cmdstat_info"}


if __name__ == "__main__":
    main()
