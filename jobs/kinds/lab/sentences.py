"""All that a run of the lab says to people while it goes on, and if it does not work out."""

from django.utils.translation import gettext_lazy as _

SENTENCES = {
    "so_far": _("%(what)s: %(done)s of %(all)s"),
    # What a run has done, for the sentence above.
    "without_protection": _("Without protection"),
    "with_protection": _("With protection"),
    "lock_global": _("One lock for all"),
    "lock_each": _("One lock for each"),
    "lock_none": _("No lock"),
    "comparison": _("Threads, processes"),
    "queued_calls": _("The queued calls"),
    "starting_server": _("Starting a web server for the experiment"),
    "view_waits": _("The view that waits"),
    "view_queues": _("The view that queues"),
    "practice_network_quiet": _("The practice network did not answer."),
    "practice_network": _(
        "The practice network does not answer, and this experiment calls it: start it with "
        "`manage.py practice_network`, then run it again."
    ),
    "no_server": _("The experiment's web server did not answer. Please run it again later."),
    "run_over": _("The run of the lab that this belongs to is over."),
    "step_failed": _("One of the run's steps was not done. %(why)s Please run it again."),
    "step_cancelled": _("Somebody cancelled it."),
    "no_worker": _(
        "No %(role)s worker is running, and this experiment needs one: start it with "
        "`manage.py rqworker --role %(role)s`, then run it again."
    ),
    "stuck": _("The workers had other work to do: for two minutes no step was done. Please run it again later."),
}
