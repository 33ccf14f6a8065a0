"""The sandbox's forms."""

from typing import Any

from django import forms

from .models import Account, Behaviour


class BehaviourForm(forms.ModelForm):
    """How the practice network shall behave; behind the page and the JSON address alike."""

    class Meta:
        model = Behaviour
        fields = ["mode", "delay_ms", "remaining"]


class AuthorizeForm(forms.Form):
    """The practice person as whom somebody approves an app."""

    name = forms.CharField(
        label="Practice name",
        max_length=30,
        validators=Account._meta.get_field("name").validators,
        help_text="Any name you like, in lower-case letters, digits and underscores. There is no password.",
        widget=forms.TextInput(attrs={"list": "names", "autocapitalize": "none", "autocomplete": "off"}),
    )

    def account(self) -> Account:
        """The account of that name, made on first use."""
        return Account.objects.get_or_create(name=self.cleaned_data["name"])[0]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.names = Account.objects.order_by("name").values_list("name", flat=True)[:100]
