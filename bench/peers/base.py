"""What the systems have in common: BENCH_VARIANT says what is kept of a job, and where.

"plain": nothing in a database, and no Django. "row": the row of bench.peers.rows, written by the job's own code.
Anything else: the system's own way to keep an outcome in the database, through Django.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from bench.probe import work

VARIANT = os.environ["BENCH_VARIANT"]
REDIS_SOCKET = os.environ["BENCH_REDIS"]

if VARIANT != "plain":
    import django

    django.setup()


def perform(task: str, number: int) -> None:
    """The code of the job."""
    began = time.time()
    if VARIANT == "row":
        _update(number, "pending", "running", "started_at")
    work(task, number, began)
    if VARIANT == "row":
        _update(number, "running", "succeeded", "finished_at", result={})


def _update(number: int, before: str, after: str, moment: str, **values: Any) -> None:
    from django.utils import timezone

    from bench.peers.rows.models import Row

    moved = Row.objects.filter(pk=number, status=before).update(status=after, **{moment: timezone.now()}, **values)
    if not moved:
        raise RuntimeError(f"job {number} is not {before}")


def prepare() -> None:
    """Make the tables."""
    if VARIANT != "plain":
        from django.core.management import call_command

        call_command("migrate", run_syncdb=True, verbosity=0)


def empty(*tables: str) -> None:
    """Delete all rows of the tables, and of bench.peers.rows."""
    if VARIANT == "plain":
        return
    from django.db import connection

    from bench.peers.rows.models import Row

    with connection.cursor() as cursor:
        for table in (Row._meta.db_table, *tables):
            cursor.execute(f"TRUNCATE {table} CASCADE" if connection.vendor == "postgresql" else f"DELETE FROM {table}")


def enqueue(numbers: range, send: Callable[[int], Any]) -> None:
    """Make the rows, if the variant keeps them, and send the jobs off."""
    if VARIANT == "row":
        from bench.peers.rows.models import Row

        Row.objects.bulk_create([Row(pk=number) for number in numbers], batch_size=500)
    for number in numbers:
        send(number)


def submit(number: int, send: Callable[[], Any], *, inside: bool = False) -> float:
    """Send one job off as a view would. Returns the moment from which on it could run.

    That is after the commit of its row, or before the message was sent where there is no row. inside: what is sent is
    itself part of the transaction.
    """
    if VARIANT == "plain":
        began = time.time()
        send()
        return began
    from django.db import transaction

    from bench.peers.rows.models import Row

    committed = 0.0

    def note() -> None:
        nonlocal committed
        committed = time.time()

    with transaction.atomic():
        transaction.on_commit(note)
        if VARIANT == "row":
            Row.objects.create(pk=number)
        if inside:
            send()
        else:
            transaction.on_commit(send)
    return committed


def count(table: str, condition: str) -> int:
    """How many rows of a table meet a condition (SQL)."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE {condition}")
        return int(cursor.fetchone()[0])


def rows_done() -> int:
    """How many of the rows of bench.peers.rows have succeeded."""
    return count("rows_row", "status = 'succeeded'")
