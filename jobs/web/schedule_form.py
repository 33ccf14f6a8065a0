"""When a job is to start, as a person or a program says it beside the fields of a kind's form."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from .time_zone import zone_named

FURTHEST = timedelta(days=365)
"""How far ahead a job may be scheduled."""


class LocalMoment(forms.DateTimeInput):
    """The browser's own picker of a day and a time, in minutes."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """With what may be chosen, in the current time zone."""
        now = timezone.localtime()
        limits = {"min": now.strftime("%Y-%m-%dT%H:%M"), "max": (now + FURTHEST).strftime("%Y-%m-%dT%H:%M")}
        return super().get_context(name, value, {**limits, **(attrs or {})})


class ScheduleForm(forms.Form):
    """run_at: not before this moment; empty for at once. Without an offset of its own it is meant in `time_zone`.

    time_zone: the zone in which the page with this form told its times; by default that of the request.
    """

    run_at = forms.DateTimeField(
        required=False,
        label="Start",
        widget=LocalMoment,
        error_messages={"invalid": "Enter a day and a time, such as 2026-12-24T18:30."},
    )
    time_zone = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        here = timezone.get_current_timezone_name()
        self.fields["time_zone"].initial = here
        self.fields["run_at"].help_text = f"In the time zone {(self._zone or here)}. Leave it empty to start at once."

    @property
    def _zone(self) -> ZoneInfo | None:
        return zone_named(self.data.get("time_zone", "")[:100])

    def full_clean(self) -> None:
        """Check all fields, and read the time in the zone in which it was written."""
        with timezone.override(self._zone or timezone.get_current_timezone()):
            super().full_clean()

    def clean_run_at(self) -> Any:
        """A moment in the future, within a year."""
        moment, now = self.cleaned_data["run_at"], timezone.now()
        if moment and moment <= now:
            raise ValidationError("This time is over. Choose a later one, or leave it empty to start at once.")
        if moment and moment > now + FURTHEST:
            raise ValidationError("That is more than a year ahead. Choose an earlier time.")
        return moment
