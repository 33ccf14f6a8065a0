"""Rows that the monitor counts."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from jobs.models import Job, Status, Worker

FAR = timedelta(hours=1)


def make(status: Status = Status.PENDING, kind: str = "echo", queue: str = "network", **values: Any) -> Job:
    """A row as the lifecycle would leave it."""
    now = timezone.now()
    if status == Status.RUNNING:
        values = {"lease_until": now + FAR, "deadline": now + FAR, "started_at": now, "attempt": 1} | values
    elif status != Status.PENDING:
        values = {"finished_at": now, "has_turn": False} | values
    job = Job(kind=kind, queue=queue, title="A job", status=status, **{"run_at": now - timedelta(seconds=5)} | values)
    job.payload = {"token": "payload-secret"}
    job.save()
    return job


def worker(role: str = "network", seen: datetime | None = None, **values: Any) -> Worker:
    """A registered worker, seen just now unless told otherwise."""
    values = {"name": f"host:1:{role}", "concurrency": 4, "seen_at": seen or timezone.now()} | values
    return Worker.objects.create(role=role, **values)
