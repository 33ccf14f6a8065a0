"""All that the jobs with all of a person's data say to people."""

from django.utils.translation import gettext_lazy as _

SENTENCES = {
    # A copy of everything.
    "writing_job": _("Job %(number)s of %(total)s"),
    "writing_files": _("Files of job %(number)s of %(total)s"),
    # The end of an account.
    "mails_first": _("Mails to you that are on their way are sent first. One of them tells of the deletion."),
    "cancelling": _("Cancelling what waits"),
    "stopping": _("Waiting until what runs has stopped"),
    "deleting": _("%(done)s of %(total)s jobs deleted"),
}
