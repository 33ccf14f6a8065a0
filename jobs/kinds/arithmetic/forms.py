"""How a change of a value is asked for."""

import unicodedata
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...contract import KindForm, Submission
from . import exact
from .models import MAX_NAME, Value

MAX_DELAY = 10.0
"""Seconds."""
SUGGESTED = 100
"""The most names that the form suggests."""


class SuggestingInput(forms.TextInput):
    """A text field that suggests `names`; anything else may be written too."""

    template_name = "arithmetic/suggesting_input.html"
    names: tuple[str, ...] = ()

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """The field's context, with the names and the id of their list."""
        suggestions = f"{name}-names"
        context = super().get_context(name, value, {**(attrs or {}), "list": suggestions})
        return {**context, "suggestions": suggestions, "names": self.names}


class ArithmeticForm(KindForm):
    """One operation on one value of the owner's. A name that is not there yet becomes a value that starts at 0.

    delay: seconds between reading and writing.
    """

    value = forms.CharField(
        max_length=MAX_NAME,
        widget=SuggestingInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
        label=gettext_lazy("Value"),
        help_text=gettext_lazy("The name of one of your values. A new name makes a new value, which starts at 0."),
        error_messages={"required": gettext_lazy("Please name a value, one of yours or a new one.")},
    )
    operation = forms.ChoiceField(label=gettext_lazy("Operation"), choices=exact.Operation.choices)
    operand = forms.CharField(
        label=gettext_lazy("Number"),
        max_length=500,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=format_lazy(
            gettext_lazy("Exact, with up to {digits} digits: 5, -12, 0.25."), digits=exact.MAX_DIGITS
        ),
        error_messages={"required": gettext_lazy("Please write a number, such as 5, -12 or 0.25.")},
    )
    delay = forms.FloatField(
        label=gettext_lazy("Delay in seconds"),
        min_value=0,
        max_value=MAX_DELAY,
        initial=1,
        required=False,
        help_text=gettext_lazy("How long it takes between reading the value and writing it back."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = Value.objects.filter(owner=self.owner.pk).order_by("-pk")
        cast(SuggestingInput, self.fields["value"].widget).names = tuple(
            mine.values_list("name", flat=True)[:SUGGESTED]
        )

    def clean_value(self) -> str:
        """One line of visible characters; names that look the same are the same."""
        name = unicodedata.normalize("NFC", " ".join(self.cleaned_data["value"].split()))
        if not name.isprintable():
            raise ValidationError(_("A name can have only characters that can be seen."))
        if len(name) > MAX_NAME:
            raise ValidationError(_("A name can have up to %(most)s characters.") % {"most": MAX_NAME})
        return name

    def clean_operand(self) -> Decimal:
        """An exact number."""
        try:
            return exact.parse(self.cleaned_data["operand"])
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def submissions(self) -> list[Submission]:
        """One job. Makes the value if it is new; if two submits do that at once, both get the same one.

        A value that was made for a submit which was not accepted after all stays: it is empty, and another may use it.
        """
        data = self.cleaned_data
        value, _made = Value.objects.get_or_create(owner_id=self.owner.pk, name=data["value"])
        operation, operand = exact.Operation(data["operation"]), exact.written(data["operand"])
        payload = {"value": value.pk, "operation": operation, "operand": operand, "delay": data["delay"] or 0}
        return [Submission(payload, f"{value.name} {operation.sign} {operand}", value.resource)]
