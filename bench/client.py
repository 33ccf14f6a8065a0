"""A process that prepares, fills and reads one system, in that system's own environment.

    python -m bench.client bench.app.client

Reads a JSON array a line, [function, arguments …], from the standard input and answers with what it returned. The
module named has the functions `prepare`, `clear`, `enqueue`, `submit` and `outcomes`, as bench/app/client.py has them;
`outcomes` returns None where a system keeps none.
"""

import importlib
import json
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import django
from django.db import connection


def enqueue(module: Any, task: str, first: int, count: int) -> None:
    """Put `count` jobs in line, and let PostgreSQL know them as its autovacuum would have."""
    module.enqueue(task, range(first, first + count))
    if os.environ["BENCH_VARIANT"] != "plain" and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def trickle(module: Any, task: str, first: int, count: int, pause: float) -> list[float]:
    """Submit jobs one at a time, half to one and a half pauses apart (seconds). Returns when each was committed."""
    committed = []
    for number in range(first, first + count):
        committed.append(module.submit(task, number))
        time.sleep(pause * random.uniform(0.5, 1.5))
    return committed


FUNCTIONS: dict[str, Callable] = {
    "enqueue": enqueue,
    "top up": lambda module, task, first, count: module.enqueue(task, range(first, first + count)),
    "trickle": trickle,
    "urgent": lambda module, number: module.submit("noop", number, urgent=True),
    "prepare": lambda module: module.prepare(),
    "clear": lambda module: module.clear(),
    "outcomes": lambda module: module.outcomes(),
}


def main() -> None:
    """Serve until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    if os.environ["BENCH_VARIANT"] != "plain":
        django.setup()
    module = importlib.import_module(sys.argv[1])
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(FUNCTIONS[name](module, *arguments)), file=answers, flush=True)


if __name__ == "__main__":
    main()
