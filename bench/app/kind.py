"""A kind for each role that does what the jobs of all other systems do."""

from typing import Any

from bench.probe import work
from jobs.contract import Kind, Role, Run


class OnThreads(Kind):
    """payload: task ("noop" or "api"), number."""

    name = "bench"
    label = "Bench"
    role = Role.NETWORK

    def run(self, run: Run) -> dict[str, Any]:
        """Work."""
        work(run.payload["task"], run.payload["number"])
        return {}


class OnProcesses(OnThreads):
    """The same, in a process for each job."""

    name = "bench_media"
    role = Role.MEDIA
