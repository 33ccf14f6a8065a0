"""The app of the kinds that write into the ledger."""

from django.apps import AppConfig


class FaultsConfig(AppConfig):
    """Registers the kinds."""

    name = "tests.faults"
    label = "faults"

    def ready(self) -> None:
        from jobs.contract import register
        from tests.faults.kinds import Brief, Grind, Tally, Tell, TellApart

        register(Tally())
        register(Grind())
        register(Brief())
        register(Tell())
        register(TellApart())
