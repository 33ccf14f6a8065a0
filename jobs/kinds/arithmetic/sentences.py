"""All that jobs with numbers say to people."""

from django.utils.translation import gettext_lazy as _

SENTENCES = {
    "waiting": _("Read %(number)s, writes in %(seconds).0f s"),
    "too_many_digits": _(
        "The result would have %(digits)s digits, and the most that are kept is %(most)s. The value was not changed."
    ),
}
