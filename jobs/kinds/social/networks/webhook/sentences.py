"""What only jobs that post to webhooks say."""

from django.utils.translation import gettext_lazy as _

SENTENCES = {
    "receiver_gone": _("%(who)s says that it is gone. Connect it again once it is back."),
    "receiver_refused": _("%(who)s refused the post. Please check that it knows the same signing secret."),
}
