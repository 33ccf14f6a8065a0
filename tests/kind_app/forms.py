"""What the test kinds can be told to do."""

from typing import Any

from django import forms

from jobs.contract import KindForm, Submission

OUTCOMES = ("succeed", "fail", "try_again", "crash", "exit", "hang")


class EchoForm(KindForm):
    """text: comes back as the result. seconds, steps: how long the work takes, and in how many pieces of progress.

    outcome: how it ends. resource: what the jobs change. copies: jobs to make of one submit. log: file that receives a
    line at the start and at the end of each attempt. attachment: hashed with the submit, otherwise ignored.
    """

    text = forms.CharField(max_length=500, help_text="Comes back when the work is done.")
    seconds = forms.FloatField(min_value=0, required=False, initial=0)
    steps = forms.IntegerField(min_value=1, max_value=1000, required=False, initial=1)
    outcome = forms.ChoiceField(choices=[(name, name) for name in OUTCOMES], required=False)
    resource = forms.CharField(max_length=200, required=False)
    copies = forms.IntegerField(min_value=1, max_value=50, required=False)
    log = forms.CharField(required=False, widget=forms.HiddenInput)
    attachment = forms.FileField(required=False)

    discarded = 0
    """How often `discard` was called, over all forms: tests read it."""

    def count(self) -> int:
        return int(self.cleaned_data["copies"] or 1)

    def submissions(self) -> list[Submission]:
        data = self.cleaned_data
        payload: dict[str, Any] = {
            "text": data["text"],
            "seconds": data["seconds"] or 0,
            "steps": data["steps"] or 1,
            "outcome": data["outcome"] or "succeed",
            "log": data["log"],
        }
        return [Submission(payload, data["text"], data["resource"])] * self.count()

    def discard(self) -> None:
        EchoForm.discarded += 1
