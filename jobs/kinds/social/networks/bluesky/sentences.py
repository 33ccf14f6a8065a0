"""What only jobs with posts and accounts on Bluesky say."""

from django.utils.translation import gettext_lazy as _

SENTENCES = {
    "not_bluesky": _("There is no Bluesky server at %(host)s. Please check the address."),
    "login_refused": _("%(who)s does not accept this handle and app password."),
    "second_factor": _(
        "%(who)s wants a second factor for this password. Please use an app password, made in its settings."
    ),
    "session_over": _("The sign-in to %(who)s is over. Connect the account again."),
}
