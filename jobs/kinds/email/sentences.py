"""All that jobs with mail say to people."""

from django.utils.translation import gettext_lazy as _

SENTENCES = {
    "talking": _("Talking with the mail server"),
    # What a server said, at the end of another sentence.
    "said": _(": “%(words)s”."),
    "mail_server_busy": _("The mail server asked us to come back later%(said)s"),
    "mail_server_unreachable": _("The mail server could not be reached, or did not answer in time."),
    "address_unknown": _("The mail server says that this address does not exist."),
    "address_refused": _("The mail server refused this address%(said)s"),
    "sender_refused": _("The mail server refused our own address%(said)s"),
    "message_refused": _("The mail server refused this mail%(said)s"),
    # The server and the settings of this site do not fit: nothing that a mail's owner could change.
    "mail_sign_in_refused": _(
        "The mail server refused our sign-in. The people who run this site have to put that right; it is in their log."
    ),
    "mail_server_not_trusted": _(
        "The mail server could not prove that it is the right one. "
        "The people who run this site have to put that right; it is in their log."
    ),
    "mail_server_refused": _(
        "The mail server would not talk to us. The people who run this site have to put that right; it is in their log."
    ),
    "outcome_unknown": _(
        "The mail may have been sent: the connection broke off before the mail server confirmed it. "
        "Look in the mailbox, and in its spam folder, before you have it sent again."
    ),
}
