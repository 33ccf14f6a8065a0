"""What may be done with a job: each state, each action, and everywhere that it is offered."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.admin import BUTTONS
from jobs.core import lifecycle
from jobs.core.actions import DELETABLE, RETRIABLE, Action, actions_for
from jobs.kind import Submission
from jobs.models import Job
from tests.kind_app.kind import Echo, Strict

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def accept(owner: User, resource: str = "", later: bool = False, kind: type[Echo] = Echo) -> Job:
    run_at = timezone.now() + timedelta(hours=1) if later else None
    submission = Submission({"text": "hi"}, "t", resource)
    return lifecycle.submit(kind(), [submission], owner=owner, run_at=run_at).jobs[0]


def started(owner: User, resource: str = "", kind: type[Echo] = Echo) -> Job:
    job = lifecycle.start(accept(owner, resource, kind=kind).pk, "w")
    assert job
    return job


def waiting(owner: User) -> Job:
    return accept(owner)


def behind_another(owner: User) -> Job:
    started(owner, "r")
    return accept(owner, "r")


def scheduled(owner: User) -> Job:
    return accept(owner, later=True)


def backing_off(owner: User) -> Job:
    job = started(owner)
    lifecycle.try_again(job, "c", pause=timedelta(hours=1))
    return job


def on_hold(owner: User) -> Job:
    job = started(owner, "r")
    lifecycle.hold(job, "c")
    return job


def running(owner: User) -> Job:
    return started(owner)


def stopping(owner: User) -> Job:
    job = started(owner)
    lifecycle.cancel(job.pk)
    return job


def succeeded(owner: User) -> Job:
    job = started(owner)
    lifecycle.succeed(job, {"text": "hi"})
    return job


def failed(owner: User) -> Job:
    job = started(owner)
    lifecycle.fail(job, "c")
    return job


def failed_for_good(owner: User) -> Job:
    job = started(owner)
    lifecycle.fail(job, "c", can_retry=False)
    return job


def holding_its_line(owner: User) -> Job:
    job = started(owner, "r", Strict)
    lifecycle.fail(job, "c")
    return job


def cancelled(owner: User) -> Job:
    job = accept(owner)
    lifecycle.cancel(job.pk)
    return job


STATES: dict[Callable[[User], Job], set[str]] = {
    waiting: {"cancel"},
    behind_another: {"cancel"},
    scheduled: {"cancel", "reschedule"},
    backing_off: {"cancel"},
    on_hold: {"cancel"},
    running: {"cancel"},
    stopping: set(),
    succeeded: {"delete"},
    failed: {"retry", "delete"},
    failed_for_good: {"delete"},
    holding_its_line: {"retry", "skip", "cancel", "delete"},
    cancelled: {"delete"},
}
CARRIED_OUT: dict[Action, Callable[[UUID], object]] = {
    Action.RETRY: lifecycle.retry,
    Action.RESCHEDULE: lambda job_id: lifecycle.reschedule(job_id, None),
    Action.SKIP: lifecycle.skip,
    Action.CANCEL: lifecycle.cancel,
    Action.DELETE: lambda job_id: lifecycle.delete([job_id]),
}
NOT_OFFERED_BUT_HARMLESS = {(stopping, "cancel"), (waiting, "reschedule"), (behind_another, "reschedule")}
"""What the lifecycle takes although nobody is offered it: asking again, and "at once" for what may start at once."""


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_what_may_be_done_is_offered_alike_by_card_json_list_and_admin(
    state: Callable[[User], Job], user: User, client: Client, admin_client: Client
):
    job = Job.objects.get(pk=state(user).pk)
    client.force_login(user)
    expected = STATES[state]
    assert {str(action) for action in actions_for(job)} == expected
    status = client.get(f"/jobs/{job.pk}/status.json?as=card").json()
    assert set(status["links"]) - {"self", "page"} == expected
    card = {action for action in Action if f'id="{action}-{job.pk}"' in status["html"]}
    page = client.get(f"/jobs/{job.pk}/").content.decode()
    assert card | ({"reschedule"} if f"/jobs/{job.pk}/reschedule/" in page else set()) == expected
    admin_page = admin_client.get(f"/admin/offload/job/{job.pk}/change/").content.decode()
    assert {action for action in Action if f'name="action" value="{action}"' in admin_page} == expected & set(BUTTONS)
    assert Job.objects.filter(RETRIABLE, pk=job.pk).exists() == ("retry" in expected)
    assert Job.objects.filter(DELETABLE, pk=job.pk).exists() == ("delete" in expected and state is not holding_its_line)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_what_is_offered_is_carried_out_and_nothing_else(state: Callable[[User], Job], action: Action, user: User):
    job = state(user)
    carried_out = bool(CARRIED_OUT[action](job.pk))
    assert carried_out == (action in STATES[state] or (state, action) in NOT_OFFERED_BUT_HARMLESS)
