"""A run of the lab: one job that has an experiment done by others and returns its figures."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy

from ...contract import Kind, Role, Run
from . import crew
from .experiments import ALL
from .forms import LabForm
from .sentences import SENTENCES


class LabKind(Kind):
    """Submits the experiment's steps and waits for them.

    It waits on a thread of a network worker, and since one run goes on at a time it takes one place there: enough are
    left for its steps.
    """

    name = "lab"
    label = gettext_lazy("Lab")
    invitation = gettext_lazy(
        "Try out what goes wrong without a queue and without an order, and see what the right ones cost."
    )
    role = Role.NETWORK
    form = LabForm
    max_attempts = 2
    time_limit = timedelta(minutes=10)
    urls = f"{__package__}.urls"
    nav = ((gettext_lazy("Lab"), "lab:home"),)
    summary_template = "lab/_result.html"
    sentences = SENTENCES
    stylesheet = "lab/lab.css"

    def run(self, run: Run) -> dict[str, Any]:
        """Do the experiment. Result: its name, its size, and what its `run` returns."""
        crew.clear()
        name, size = run.payload["experiment"], run.payload["size"]
        return {"experiment": name, "size": size, "found": ALL[name].run(run, size)}
