"""The lifecycle against a model: no sequence of calls may break an invariant.

Hypothesis chooses among submit (also of jobs that wait for another), start, finish, fail, try again, hand back, hold,
resume, lose, settle, retry and cancel (also while it runs), also with attempts that were given up long ago; after every
step the rows are compared with the model and with the invariants.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from jobs.core import lifecycle
from jobs.kind import ClaimLost, Stopped, Submission, kind_named
from jobs.models import Attempt, Job, Resource
from jobs.sentences import Sentence


@dataclass
class Model:
    """What a job should look like."""

    resource: str
    status: str = "pending"
    attempt: int = 0
    spent: int = 0
    """Attempts that count, since the last time its owner asked."""
    order: int = 0
    holds_line: bool = False
    holding: bool = False
    """Failed, and the line waits."""
    asked: bool = False
    """Its owner asked to cancel it while it ran."""
    after: UUID | None = None
    """It waits for this job."""
    kept: bool = False
    """An outside effect may be under way."""
    outcomes: list[str] = field(default_factory=list)


class Lifecycle(RuleBasedStateMachine):
    jobs = Bundle("jobs")
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        Job.objects.all().delete()
        Resource.objects.all().delete()
        self.on_hold: set[str] = set()
        self.models: dict[UUID, Model] = {}
        self.clock = 0
        self.echo, self.strict = kind_named("echo"), kind_named("strict")

    def next_order(self) -> int:
        self.clock += 1
        return self.clock

    def head(self, job_id: UUID) -> bool:
        """Whether no earlier job on the same resource is unfinished."""
        mine = self.models[job_id]
        return not mine.resource or not any(
            other.resource == mine.resource
            and other.order < mine.order
            and (other.status in ("pending", "running") or other.holding)
            for other in self.models.values()
        )

    def may_have_turn(self, job_id: UUID) -> bool:
        """Whether an unfinished job has nothing to wait for but its time and a worker."""
        mine = self.models[job_id]
        return self.head(job_id) and mine.after is None and mine.resource not in self.on_hold

    def owns(self, claim: Job) -> bool:
        model = self.models[claim.pk]
        return model.status == "running" and model.attempt == claim.attempt

    @rule(target=jobs, resource=st.sampled_from(["", "a", "b"]), holds=st.booleans())
    def submit(self, resource, holds):
        the_kind = self.strict if holds else self.echo
        assert the_kind
        (job,) = lifecycle.submit(the_kind, [Submission({"text": ""}, "t", resource)], owner=None).jobs
        self.models[job.pk] = Model(resource, order=self.next_order(), holds_line=holds and bool(resource))
        return job.pk

    @rule(target=jobs, resource=st.sampled_from(["", "a", "b"]))
    def submit_two(self, resource):
        assert self.echo
        first, second = Submission({"text": ""}, "first"), Submission({"text": ""}, "second", resource, after=0)
        one, other = lifecycle.submit(self.echo, [first, second], owner=None).jobs
        self.models[one.pk] = Model("", order=self.next_order())
        self.models[other.pk] = Model(resource, order=self.next_order(), after=one.pk)
        return multiple(one.pk, other.pk)

    @rule(job_id=jobs)
    def settle(self, job_id):
        lifecycle.settle(job_id)
        for model in self.models.values():
            if model.after == job_id and self.models[job_id].status in ("succeeded", "failed", "cancelled"):
                model.after = None
                if self.models[job_id].status != "succeeded":
                    model.status = "cancelled"

    @rule(claim=claims)
    def hold(self, claim):
        if not self.owns(claim):
            with pytest.raises(ClaimLost):
                lifecycle.hold(claim, "c")
            return
        lifecycle.hold(claim, "c")
        if not claim.resource:
            self.end(claim, "failed", "failed")
            return
        self.on_hold.add(claim.resource)
        self.release(claim, "on_hold", counts=False)

    @rule(resource=st.sampled_from(["a", "b"]))
    def resume(self, resource):
        lifecycle.resume(resource)
        self.on_hold.discard(resource)

    @rule(target=claims, job_id=jobs)
    def start(self, job_id):
        model = self.models[job_id]
        expected = model.status == "pending" and self.may_have_turn(job_id)
        claim = lifecycle.start(job_id, "w")
        assert (claim is not None) == expected
        if claim is None:
            return Job(pk=job_id, attempt=10_000)
        model.status, model.attempt = "running", model.attempt + 1
        return claim

    def end(self, claim: Job, status: str, outcome: str, counts: bool = True) -> None:
        model = self.models[claim.pk]
        model.status = status
        model.holding = status == "failed" and model.holds_line
        model.spent += counts
        model.outcomes.append(outcome)

    def last(self, claim: Job) -> bool:
        assert self.echo
        return self.models[claim.pk].spent + 1 >= self.echo.max_attempts

    @rule(claim=claims, how=st.sampled_from(["succeed", "fail", "try_again", "keep", "progress"]))
    def write(self, claim, how):
        calls = {
            "succeed": lambda: lifecycle.succeed(claim, {}),
            "fail": lambda: lifecycle.fail(claim, "c"),
            "try_again": lambda: lifecycle.try_again(claim, "c", pause=timedelta(0)),
            "keep": lambda: lifecycle.keep(claim, {"n": 1}),
            "progress": lambda: lifecycle.progress(claim, 10, Sentence("text", text="x")),
        }
        if not self.owns(claim):
            with pytest.raises(ClaimLost):
                calls[how]()
            return
        model = self.models[claim.pk]
        if how in ("keep", "progress") and model.asked and not model.kept:
            with pytest.raises(Stopped):
                calls[how]()
            return
        calls[how]()
        model.kept |= how == "keep"
        if how == "succeed":
            self.end(claim, "succeeded", "succeeded")
        elif how == "fail" or (how == "try_again" and self.last(claim)):
            self.end(claim, "failed", "failed")
        elif how == "try_again":
            self.release(claim, "retried")

    @rule(claim=claims)
    def lose(self, claim):
        owned = self.owns(claim)
        assert lifecycle.lose(claim, lapsed=False) == owned
        if owned and self.last(claim) and not self.models[claim.pk].asked:
            self.end(claim, "failed", "lost")
        elif owned:
            self.release(claim, "lost")

    @rule(claim=claims)
    def hand_back(self, claim):
        owned = self.owns(claim)
        assert lifecycle.hand_back(claim) == owned
        if owned:
            self.release(claim, "handed_back", counts=False)

    def release(self, claim: Job, outcome: str, counts: bool = True) -> None:
        """It would run again, unless its owner asked to cancel it."""
        if self.models[claim.pk].asked:
            self.end(claim, "cancelled", "cancelled")
        else:
            self.end(claim, "pending", outcome, counts)

    @rule(claim=claims)
    def stop(self, claim):
        expected = self.owns(claim) and self.models[claim.pk].asked
        assert lifecycle.stop(claim) == expected
        if expected:
            self.end(claim, "cancelled", "cancelled")

    @rule(job_id=jobs)
    def cancel(self, job_id):
        model = self.models[job_id]
        at_once = model.status == "pending" or model.holding
        assert lifecycle.cancel(job_id) == (at_once or model.status == "running")
        if at_once:
            model.status, model.holding, model.after = "cancelled", False, None
        elif model.status == "running":
            model.asked = True

    @rule(job_id=jobs)
    def skip(self, job_id):
        model = self.models[job_id]
        assert lifecycle.skip(job_id) == model.holding
        model.holding = False

    @rule(job_id=jobs)
    def retry(self, job_id):
        model = self.models[job_id]
        expected = model.status == "failed"
        assert lifecycle.retry(job_id) == expected
        if expected:
            model.order = model.order if model.holding else self.next_order()
            model.status, model.spent, model.holding, model.asked = "pending", 0, False, False

    @invariant()
    def rows_are_as_the_model_says(self):
        rows = {job.pk: job for job in Job.objects.all()}
        assert rows.keys() == self.models.keys()
        outcomes = defaultdict(list)
        for attempt in Attempt.objects.order_by("number"):
            outcomes[attempt.job_id].append(attempt.outcome)
        for job_id, model in self.models.items():
            job = rows[job_id]
            assert (job.status, job.attempt, outcomes[job_id]) == (model.status, model.attempt, model.outcomes)
            assert (job.cancel_asked_at is not None) == model.asked
            unfinished = model.status in ("pending", "running")
            assert job.has_turn == (model.holding or (unfinished and self.may_have_turn(job_id)))
            assert job.after_id == model.after

    @invariant()
    def one_job_at_a_time_runs_on_a_resource(self):
        running = [m.resource for m in self.models.values() if m.resource and m.status == "running"]
        assert len(running) == len(set(running))


@pytest.mark.django_db
def test_no_sequence_of_calls_breaks_an_invariant():
    run_state_machine_as_test(
        Lifecycle,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
