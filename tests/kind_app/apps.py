"""The app of the kinds that only the suite uses."""

from django.apps import AppConfig


class TestKindConfig(AppConfig):
    """Registers them."""

    name = "tests.kind_app"
    label = "testkind"

    def ready(self) -> None:
        from jobs.contract import register
        from tests.kind_app.kind import Caller, Crunch, Echo, Strict
        from tests.kinds.arithmetic.killed import KilledKind
        from tests.kinds.media.killed import KilledEdit

        register(Echo())
        register(Crunch())
        register(Strict())
        register(Caller())
        register(KilledKind())
        register(KilledEdit())
