"""The app of the kinds that only the benches use (EXTRA_APPS=bench.app)."""

from django.apps import AppConfig


class BenchConfig(AppConfig):
    """Registers them."""

    name = "bench.app"
    label = "bench"

    def ready(self) -> None:
        """Make the kinds known."""
        from bench.app.kind import Asked, OnProcesses, OnThreads
        from jobs.contract import register

        register(OnThreads())
        register(Asked())
        register(OnProcesses())
