"""Deleting an account with all that belongs to it."""

import time
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext_lazy

from ...contract import Job, Kind, OwnerKey, Role, Run, TryAgain, cancel, delete, installed_kinds
from .sentences import SENTENCES

STOP_SECONDS = 30.0
"""How long running jobs get to stop. What runs on after that can write nothing more, and is deleted all the same."""
LOOK_SECONDS = 0.2
ATTEMPTS_TO_WAIT = 8
"""Attempts at which jobs that come to their end first may still be unfinished: ten minutes together on average."""
BATCH = 200
"""Jobs that are deleted in one go."""


class ErasureKind(Kind):
    """Closes the account, stops its jobs, and deletes them, their files and the account.

    Jobs that come to their end first (the mail that tells of it) are waited for, and deleted then like all others.

    The job belongs to the session in which it was asked for, since the account will not be there to own it. Until it
    starts it can be cancelled, and then the account stays as it is. It may be repeated at any point.
    """

    name = "erasure"
    label = gettext_lazy("Deletion of an account")
    role = Role.NETWORK
    max_attempts = 10 + ATTEMPTS_TO_WAIT
    time_limit = timedelta(minutes=15)
    urls = f"{__package__}.erasure_urls"
    summary_template = "personal/_erasure.html"
    sentences = SENTENCES

    def run(self, run: Run) -> dict[str, Any]:
        """Result: {}; nothing is known of the account any more."""
        if run.attempt <= ATTEMPTS_TO_WAIT and _some_end_first(run.payload["user"]):
            raise TryAgain("mails_first")
        run.keep(begun=True)  # the last point at which it can be stopped
        user = get_user_model()._default_manager.filter(pk=run.payload["user"]).first()
        if user is not None:
            _close(user, run)
            _stop_jobs(user, run)
            _delete_jobs(user, run)
            for kind in installed_kinds():
                kind.forget_owner(user.pk)
            user.delete()
        return {}


def _some_end_first(user_id: OwnerKey) -> bool:
    kinds = [kind.name for kind in installed_kinds() if kind.ends_before_erasure]
    return Job.objects.filter(owner=user_id, kind__in=kinds).unfinished().exists()


def _close(user: AbstractBaseUser, run: Run) -> None:
    """End all sessions of the account: nobody is signed in with one that is not active."""
    user.is_active = False
    user.set_unusable_password()  # where a user model has no column `is_active`, that is what ends the sessions
    user.save(update_fields={"is_active", "password"} & {field.name for field in user._meta.concrete_fields})
    # Whoever signed in again while it waited owns it by now. It outlives them.
    Job.objects.filter(pk=run.job_id).update(owner=None)


def _stop_jobs(user: AbstractBaseUser, run: Run) -> None:
    mine = Job.objects.filter(owner=user.pk)
    # The newest first: nobody behind them in a line of their own is started by that.
    for job_id in mine.unfinished().order_by("-created_at", "-position").values_list("pk", flat=True):
        run.progress(0, "cancelling")
        cancel(job_id)
    end = time.monotonic() + STOP_SECONDS
    while mine.unfinished().exists() and time.monotonic() < end:
        run.progress(5, "stopping")
        time.sleep(LOOK_SECONDS)


def _delete_jobs(user: AbstractBaseUser, run: Run) -> None:
    finished = Job.objects.filter(owner=user.pk, finished_at__isnull=False)
    total, done = finished.count(), 0
    # The newest first, since later jobs may build on what earlier ones left (edits of a file on its upload): when a
    # kind is asked to forget that, nothing needs it any more.
    while some := delete(finished.order_by("-created_at").values_list("pk", flat=True)[:BATCH]):
        done += some
        total = max(done, total)
        run.progress(5 + 90 * done / total, "deleting", done=done, total=total)
