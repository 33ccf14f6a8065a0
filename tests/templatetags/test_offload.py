"""The tags with which a page shows jobs."""

import pytest
from django.template import Context, Template

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job
from tests.kind_app.kind import Echo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def rendered(tag: str, **context: object) -> str:
    return Template("{% load offload %}" + tag).render(Context(context))


@pytest.fixture
def jobs(user) -> list[Job]:
    """One that is done, one that waits."""
    wanted = [Submission({"text": title}, title) for title in ("a <done> one", "one that waits")]
    first, second = lifecycle.submit(Echo(), wanted, owner=user).jobs
    running = lifecycle.start(first.pk, "w")
    assert running
    lifecycle.succeed(running, {"text": "Hello"})
    return list(Job.objects.filter(pk__in=[first.pk, second.pk]).order_by("title"))


def test_cards_and_lines_are_followed_until_their_jobs_are_done(jobs):
    done, waits = jobs
    for tag, how in (("{% job_cards jobs %}", "card"), ("{% job_lines jobs %}", "line")):
        html = rendered(tag, jobs=jobs)
        assert html.count(f'data-poll="/jobs/status.json?as={how}"') == 1
        assert f'data-id="{waits.pk}"' in html
        assert "a &lt;done&gt; one" in html
    assert "data-poll" not in rendered("{% job_card job %}", job=done)


def test_without_a_script_a_page_loads_itself_again_while_something_is_unfinished():
    assert "http-equiv" in rendered("{% refresh True %}")
    assert rendered("{% refresh False %}").strip() == ""


def test_a_template_can_ask_whether_the_sandbox_is_on(offload):
    for sandbox in (True, False):
        offload(SANDBOX=sandbox)
        assert rendered("{% sandbox as on %}{{ on }}") == str(sandbox)
