"""A kind for each role that does what the jobs of all other systems do."""

from typing import Any

from django import forms

from bench.probe import work
from jobs.contract import Kind, KindForm, Role, Run, Submission


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


class TextForm(KindForm):
    """One field, as the bare project's form has."""

    text = forms.CharField(max_length=500)

    def submissions(self) -> list[Submission]:
        """One job."""
        return [Submission({"task": "noop", "number": 0}, self.cleaned_data["text"])]


class Asked(OnThreads):
    """A kind that is submitted through its form."""

    name = "bench_form"
    form = TextForm
    urls = "bench.app.urls"
