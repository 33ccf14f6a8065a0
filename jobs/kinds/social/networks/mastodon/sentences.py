"""What only jobs with posts and accounts on Mastodon say."""

from django.utils.translation import gettext_lazy as _

SENTENCES = {
    "not_mastodon": _("There is no Mastodon server at %(host)s. Please check the address."),
    "code_refused": _("%(who)s did not accept the authorisation. Please connect once more."),
    "waiting_for_picture": _("Waiting for %(host)s to look at picture %(number)d"),
    "processing": _("%(who)s is still busy with the pictures."),
}
