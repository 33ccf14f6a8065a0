"""What can be asked for."""

import pytest

from jobs.core import lifecycle
from jobs.models import Job
from tests.kinds.lab.conftest import accepted, form

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


@pytest.mark.parametrize(
    ("experiment", "size", "bounds"),
    [
        ("race", 0, "1 to 100 repetitions"),
        ("race", 101, "1 to 100 repetitions"),
        ("race", -5, "1 to 100 repetitions"),
        ("locks", 1, "2 to 8 values"),
        ("locks", 9, "2 to 8 values"),
        ("offload", 9, "10 to 100 visitors"),
        ("offload", 10**30, "10 to 100 visitors"),
    ],
)
def test_a_size_out_of_bounds_gets_a_sentence_at_its_field(user, experiment, size, bounds):
    assert form(user, experiment, size).errors == {"size": [f"Please choose {bounds}."]}


def test_without_a_size_a_run_has_the_usual_one(user):
    filled = form(user, "race", "")
    assert filled.is_valid()
    (submission,) = filled.submissions()
    assert submission.payload == {"experiment": "race", "size": 20}
    assert submission.title == "Race: 20 repetitions"


@pytest.mark.parametrize("experiment", ["", "nonsense"])
def test_an_experiment_has_to_be_chosen(user, experiment):
    assert list(form(user, experiment, 5).errors) == ["experiment"]


def test_without_the_sandbox_nothing_calls_the_practice_network(user, offload):
    offload(SANDBOX=False)
    assert form(user, "offload").errors == {
        "experiment": ["This experiment calls the practice network, which is off on this site."]
    }
    assert form(user, "race").is_valid()


def test_nobody_has_two_runs_at_a_time(user, other_user):
    last = accepted(user, "race", 3)
    assert "Your last run, “Race: 3 repetitions”, is not over yet" in str(form(user, "locks").errors["__all__"])
    assert form(other_user, "locks").is_valid()
    lifecycle.cancel(last.pk)
    assert form(user, "locks").is_valid()


def test_one_run_goes_on_at_a_time_on_the_whole_site(user, other_user):
    jobs = [accepted(user, "race", 3), accepted(other_user, "race", 3)]
    assert [lifecycle.start(job.pk, "a worker") is not None for job in jobs] == [True, False]


def test_bounds_hold_for_programs_too(ann):
    answer = ann.post(
        "/jobs/new/lab/",
        {"experiment": "race", "size": 1000},
        "application/json",
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 400
    assert answer.json() == {"errors": {"size": ["Please choose 1 to 100 repetitions."]}}
    assert not Job.objects.exists()
