"""How a run of the lab is asked for."""

from typing import Any

from django import forms
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...contract import Job, KindForm, Submission, options
from .experiments import ALL

RESOURCE = "lab"
"""Runs go on one at a time on the whole site: two that measure at once would measure each other."""


def _sizes() -> str:
    """What the size of each experiment counts, and its bounds."""
    bounds = (
        _("%(experiment)s: %(things)s, %(least)s to %(most)s, else %(usual)s")
        % {
            "experiment": one.label,
            "things": one.things,
            "least": one.smallest,
            "most": one.largest,
            "usual": one.usual,
        }
        for one in ALL.values()
    )
    return f"{'; '.join(bounds)}."


class LabForm(KindForm):
    """Which experiment, and how large."""

    experiment = forms.ChoiceField(
        choices=[(one.name, one.label) for one in ALL.values()],
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Please choose an experiment.")},
    )
    size = forms.IntegerField(
        required=False,
        help_text=lazy(_sizes, str)(),
    )

    def clean_experiment(self) -> str:
        """One that can be done on this site."""
        name: str = self.cleaned_data["experiment"]
        if ALL[name].needs_network and not options.SANDBOX:
            raise forms.ValidationError(_("This experiment calls the practice network, which is off on this site."))
        return name

    def clean(self) -> dict[str, Any]:
        """The size must suit the experiment, and the owner's last run must be over."""
        cleaned = super().clean() or self.cleaned_data
        chosen = ALL.get(cleaned.get("experiment", ""))
        size = cleaned.get("size")
        if chosen and size is not None and not chosen.smallest <= size <= chosen.largest:
            numbers = {"least": chosen.smallest, "most": chosen.largest, "things": chosen.things}
            self.add_error("size", _("Please choose %(least)s to %(most)s %(things)s.") % numbers)
        if self.owner.pk and (last := Job.objects.unfinished().filter(owner=self.owner.pk, kind="lab").first()):
            raise forms.ValidationError(
                _("Your last run, “%(title)s”, is not over yet. Wait for it, or cancel it on its page.")
                % {"title": last.title}
            )
        return cleaned

    def submissions(self) -> list[Submission]:
        """One run."""
        chosen = ALL[self.cleaned_data["experiment"]]
        size = self.cleaned_data["size"] or chosen.usual
        numbers = {"experiment": chosen.label, "size": size, "things": chosen.things}
        title = _("%(experiment)s: %(size)s %(things)s") % numbers
        return [Submission({"experiment": chosen.name, "size": size}, title, RESOURCE)]
