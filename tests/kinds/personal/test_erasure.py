"""Deleting an account: only with the password, whatever runs, with all that belongs to it, and to the last page."""

from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from jobs.conf import options
from jobs.core import lifecycle
from jobs.kind import ClaimLost, Submission
from jobs.kinds.email.kind import mailbox
from jobs.kinds.personal import erasure
from jobs.models import Job, Leftover, Resource, Status, Submit
from jobs.sandbox.samples import sample_photo
from jobs.worker import sweep
from jobs.worker.execution import perform
from tests.kind_app.kind import Echo, Strict
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

PASSWORD = "a-long-password"


@pytest.fixture
def ann(client: Client, user: User) -> Client:
    cache.clear()
    client.force_login(user)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return client


def accept(owner: User | None, title: str = "Hello", resource: str = "", **payload: object) -> Job:
    kind = Strict() if resource else Echo()
    return lifecycle.submit(kind, [Submission({"text": "hi", **payload}, title, resource)], owner=owner).jobs[0]


def ask(client: Client, password: str = PASSWORD) -> Job:
    answer = client.post("/erasure/", {"password": password})
    assert answer.status_code == 302
    job = Job.objects.get(kind="erasure")
    assert answer["Location"] == f"/erasure/{job.pk}/"
    return job


def test_the_account_goes_with_all_that_belongs_to_it(ann, user, tmp_path):
    log = tmp_path / "log"
    log.write_text("what the kind kept")
    done = accept(user, log=str(log), seconds=0)
    perform(str(done.pk))
    accept(user)
    lifecycle.submit(Echo(), [Submission({"text": "hi"}, "t")], owner=user, idempotency_key="k")
    job = ask(ann)
    perform(str(job.pk))
    job.refresh_from_db()
    assert job.status == Status.SUCCEEDED, job.traceback
    assert not User.objects.filter(pk=user.pk).exists()
    assert list(Job.objects.all()) == [job]
    assert not Submit.objects.exists()
    assert not EmailAddress.objects.exists()
    sweep.sweep()
    assert not log.exists()
    assert not Leftover.objects.exists()


def test_no_file_of_the_account_stays_in_the_storage(ann, user, monkeypatch):
    def stored() -> set[Path]:
        return {path for path in (options.VAR_DIR / "media").rglob("*") if path.is_file()}

    monkeypatch.setattr(erasure, "BATCH", 1)
    before = stored()
    ann.post("/jobs/new/media/", {"file": SimpleUploadedFile("photo.jpg", sample_photo(), "image/jpeg")})
    upload = Job.objects.get()
    perform(str(upload.pk))
    upload.refresh_from_db()
    asked = {"file": (upload.result or {})["file"], "operation": "rotate", "angle": 90}
    assert ann.post("/jobs/new/edit/", asked).status_code == 303
    assert stored() > before
    perform(str(ask(ann).pk))
    sweep.sweep()
    assert stored() == before


def test_nothing_happens_without_the_right_password(ann, user):
    answer = ann.post("/erasure/", {"password": "wrong"})
    assert answer.status_code == 400
    assert "Incorrect password" in answer.content.decode()
    assert not Job.objects.exists()
    assert ann.get("/jobs/").status_code == 200


def test_passwords_can_not_be_guessed_here(ann):
    answers = [ann.post("/erasure/", {"password": str(number)}).status_code for number in range(11)]
    assert answers == [400] * 10 + [429]


def test_all_sessions_end_once_it_begins(ann, user):
    elsewhere = Client()
    elsewhere.force_login(user)
    job = ask(ann)
    assert ann.get("/jobs/").status_code == 302
    assert elsewhere.get("/jobs/").status_code == 200
    perform(str(job.pk))
    assert elsewhere.get("/jobs/").status_code == 302


def test_the_last_page_is_shown_to_that_session_alone(ann):
    job = ask(ann)
    page = ann.get(f"/erasure/{job.pk}/").content.decode()
    assert "Good bye" in page
    assert "Deletion of your account" in page
    perform(str(job.pk))
    assert "all that belonged to it are deleted" in ann.get(f"/erasure/{job.pk}/").content.decode()
    assert Client().get(f"/erasure/{job.pk}/").status_code == 404


def test_until_it_begins_it_can_be_cancelled_and_the_account_stays(ann, user):
    job = ask(ann)
    assert ann.post(f"/jobs/{job.pk}/cancel/").status_code == 303
    perform(str(job.pk))
    user.refresh_from_db()
    assert user.is_active
    assert user.check_password(PASSWORD)


def test_it_outlives_an_account_that_signed_in_again_in_the_same_session(ann, user):
    job = ask(ann)
    assert ann.post("/accounts/login/", {"login": user.email, "password": PASSWORD}).status_code == 302
    assert Job.objects.get(pk=job.pk).owner == user
    perform(str(job.pk))
    job.refresh_from_db()
    assert (job.status, job.owner) == (Status.SUCCEEDED, None)
    assert not User.objects.exists()


def test_it_can_be_repeated_after_its_worker_died_anywhere(ann, user):
    accept(user)
    job = ask(ann)
    running = lifecycle.start(job.pk, "w")
    assert running
    user.delete()
    lifecycle.lose(running, lapsed=False)
    perform(str(job.pk))
    job.refresh_from_db()
    assert job.status == Status.SUCCEEDED


def test_a_line_in_which_others_wait_goes_on(ann, user, other_user, django_capture_on_commit_callbacks):
    mine, theirs = accept(user, resource="shared"), accept(other_user, resource="shared")
    running = lifecycle.start(mine.pk, "w")
    assert running
    lifecycle.fail(running, "c", "t")
    assert not Job.objects.runnable().filter(pk=theirs.pk).exists()
    with django_capture_on_commit_callbacks(execute=True):
        perform(str(ask(ann).pk))
    assert Job.objects.runnable().get() == theirs


def test_what_runs_on_regardless_is_deleted_and_writes_nothing_more(ann, user, monkeypatch):
    monkeypatch.setattr(erasure, "STOP_SECONDS", 0)
    running = lifecycle.start(accept(user).pk, "w")
    assert running
    perform(str(ask(ann).pk))
    assert not Job.objects.filter(pk=running.pk).exists()
    with pytest.raises(ClaimLost):
        lifecycle.progress(running, 50, "")
    assert Leftover.objects.filter(job_id=running.pk, due_at__gt=timezone.now()).exists()


@pytest.mark.parametrize("urgent", [True, False])
def test_mails_to_the_person_that_nobody_owns_go_too(ann, user, urgent):
    line = mailbox("ann@example.org", urgent)
    mail = accept(None, "E-mail to ann@example.org", resource=line)
    Job.objects.update(kind="email")
    other = accept(None, "E-mail to bob@example.org", resource="mailbox:bob@example.org")
    perform(str(ask(ann).pk))
    assert not Job.objects.filter(pk=mail.pk).exists()
    assert not Resource.objects.filter(name=line).exists()
    assert Job.objects.filter(pk=other.pk).exists()


def test_staff_can_not_leave_the_site_without_anybody(client, db):
    staff = User.objects.create_superuser("staff", "staff@example.org", PASSWORD)
    client.force_login(staff)
    assert "one of the people who run this site" in client.get("/erasure/").content.decode()
    assert client.post("/erasure/", {"password": PASSWORD}).status_code == 403
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_account_is_deleted_by_a_real_worker_while_its_jobs_run(ann, user, start_worker, tmp_path):
    log: Path = tmp_path / "log"
    start_worker("--role", "network")
    running = accept(user, seconds=60, steps=600, log=str(log))
    wait_until(lambda: Job.objects.get(pk=running.pk).status == Status.RUNNING)
    job = ask(ann)
    wait_until(lambda: Job.objects.get(pk=job.pk).status == Status.SUCCEEDED)
    assert not User.objects.exists()
    wait_until(lambda: not Leftover.objects.exists() and not log.exists(), what="the files go")
