"""What only jobs that post to Mastodon say, and the pages on which an account there is connected."""

from django.utils.translation import gettext_lazy as _

SENTENCES = {
    "not_mastodon": _("There is no Mastodon server at %(host)s. Please check the address."),
    "code_refused": _("%(who)s did not accept the authorisation. Please connect once more."),
    "waiting_for_picture": _("Waiting for %(host)s to look at picture %(number)d"),
    "processing": _("%(who)s is still busy with the pictures."),
}
