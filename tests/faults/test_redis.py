"""Faults of Redis and of the way to it. Redis only delivers: whatever happens to it, no accepted job is lost."""

import json
import pickle
import shutil
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.db.models import Sum
from django.utils import timezone

from jobs.models import Attempt, Job, Status, Worker
from tests.faults.conftest import Figure
from tests.faults.proxy import Fault, Proxy
from tests.faults.stage import Stage, Web, frozen_with_hint, killed_before_the_claim, outcomes
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]


@pytest.mark.fault(3)
def test_a_submit_is_answered_and_runs_later_when_redis_refuses_connections(
    stage: Stage, proxy: Proxy, web: Web, figure: Figure
):
    stage.start_worker("--role", "network")
    proxy.set(Fault.REFUSE)
    began = time.monotonic()
    answer = web.submit("tally", ledger=stage.ledger.port, object="x", change="+2")
    seconds = time.monotonic() - began
    figure(f"answered in {seconds:.2f} s")
    assert answer.status_code == 202
    assert seconds < 2
    assert Job.objects.get().status == Status.PENDING
    proxy.set(Fault.NONE)
    began = time.monotonic()
    stage.settle()
    figure(f"ran {time.monotonic() - began:.1f} s after Redis was back")
    stage.judge()


@pytest.mark.fault(4)
def test_a_submit_is_answered_and_runs_later_when_redis_is_frozen(stage: Stage, web: Web, figure: Figure):
    stage.start_worker("--role", "network")
    web.submit("tally", ledger=stage.ledger.port, object="x", change="+2")
    stage.settle()
    stage.redis.freeze()
    frozen = time.monotonic()
    times = []
    for _ in range(3):
        began = time.monotonic()
        answer = web.submit("tally", ledger=stage.ledger.port, object="x", change="+2")
        times.append(time.monotonic() - began)
        assert answer.status_code == 202
    figure(f"answered in {max(times):.2f} s")
    assert max(times) < 3
    wait_until(lambda: time.monotonic() > frozen + 10)
    stage.redis.thaw()
    began = time.monotonic()
    stage.settle()
    figure(f"ran {time.monotonic() - began:.1f} s after the thaw")
    stage.judge()


@pytest.mark.fault(5)
@pytest.mark.parametrize("loss", ["wiped", "gone with its disk"])
def test_nothing_is_lost_when_redis_loses_everything(stage: Stage, figure: Figure, loss: str):
    stage.start_worker()
    due = timezone.now() + timedelta(seconds=6)
    running = [stage.accept(kind, f"running {kind}", hold="before") for kind in ("tally", "grind")]
    waiting = [stage.accept("tally", f"running {kind}") for kind in ("tally", "grind")]
    scheduled = [stage.accept(kind, run_at=due) for kind in ("tally", "grind")]
    backing_off = stage.accept("tally", "away", misbehave_once="wait for the other side")
    for job in running:
        stage.arrived(job)
    wait_until(lambda: outcomes(backing_off) == ["retried"], what="it backs off")
    if loss == "wiped":
        stage.redis.wipe()
    else:
        stage.redis.kill()
        shutil.rmtree(stage.redis.folder / "appendonlydir")
        stage.redis.start()
    stage.ledger.let_go()
    stage.settle()
    stage.judge()
    late = [job.started_at - due for job in Job.objects.filter(pk__in=[job.pk for job in scheduled]) if job.started_at]
    assert len(late) == 2
    assert all(timedelta(0) <= one < timedelta(seconds=2) for one in late)
    accepted = len(running + waiting + scheduled) + 1
    figure(f"{loss}: 0 of {accepted} lost, scheduled start {max(late).total_seconds():.1f} s late")


@pytest.mark.fault(9)
@pytest.mark.parametrize("roles", [("--role", "network"), ()], ids=["one queue", "two queues"])
def test_a_job_runs_whose_worker_was_killed_when_it_had_just_taken_the_hint(
    stage: Stage, figure: Figure, roles: tuple[str, ...]
):
    victim = stage.start_worker(*roles)
    job = frozen_with_hint(stage, victim.role("network"))
    victim.kill()
    began = time.monotonic()
    stage.start_worker()
    stage.arrived(job)
    figure(f"ran {time.monotonic() - began:.1f} s after the next worker was started")
    stage.settle()
    stage.judge()
    assert outcomes(job) == ["succeeded"]


@pytest.mark.quick
@pytest.mark.fault(9)
@pytest.mark.parametrize("count", [1, 15])
def test_jobs_run_whose_worker_was_killed_between_their_hints_and_their_claim(stage: Stage, figure: Figure, count: int):
    jobs, taken = killed_before_the_claim(stage, count)
    assert set(Job.objects.filter(pk__in=[job.pk for job in jobs]).values_list("attempt", flat=True)) == {0}
    stage.start_worker()
    stage.settle()
    stage.judge()
    assert [outcomes(job) for job in jobs] == [["succeeded"]] * count
    figure(f"{taken} hints taken together, all jobs done at their first attempt")


@pytest.mark.quick
@pytest.mark.fault(10)
def test_a_job_runs_once_when_the_reply_to_its_enqueue_is_lost(stage: Stage, proxy: Proxy, offload, figure: Figure):
    offload(REDIS_URL=stage.env["REDIS_URL"])
    stage.accept("tally", "x")
    proxy.set(Fault.DROP_REPLIES)
    jobs = [stage.accept("tally", "x"), stage.accept("tally", "y")]
    assert str(jobs[1].pk).encode() in stage.redis.client.lrange("rq:queue:network", 0, -1)
    proxy.set(Fault.NONE)
    stage.start_worker("--role", "network")
    stage.settle()
    stage.judge()
    figure(f"effects {len(stage.ledger.effects)}, attempts {Attempt.objects.count()} of {Job.objects.count()} jobs")
    assert Attempt.objects.count() == 3


@pytest.mark.fault(11)
def test_a_hint_that_is_delivered_ten_times_to_four_workers_makes_one_attempt(stage: Stage, figure: Figure):
    for _ in range(4):
        stage.start_worker("--role", "network")
    jobs = [stage.accept("tally", seconds=0.5) for _ in range(5)]
    for job in jobs * 9:
        stage.redis.client.rpush("rq:queue:network", str(job.pk))
    stage.settle()
    wait_until(lambda: not stage.redis.client.llen("rq:queue:network"), what="all hints are taken")
    stage.judge()
    figure(f"{10 * len(jobs)} hints, {Attempt.objects.count()} attempts of {len(jobs)} jobs")
    assert Attempt.objects.count() == len(jobs)


@pytest.mark.quick
@pytest.mark.fault(12)
def test_an_outcome_is_kept_while_redis_is_down(stage: Stage, figure: Figure):
    stage.start_worker()
    jobs = [stage.accept(kind, kind, hold="before") for kind in ("tally", "grind")]
    following = [stage.accept(kind, kind) for kind in ("tally", "grind")]
    for job in jobs:
        stage.arrived(job)
    stage.redis.kill()
    stage.ledger.let_go()
    wait_until(lambda: Job.objects.filter(status=Status.SUCCEEDED).count() == 2, what="the outcomes are kept")
    stage.redis.start()
    began = time.monotonic()
    stage.settle()
    stage.judge()
    figure(f"next in line ran {time.monotonic() - began:.1f} s after Redis was back")
    assert [outcomes(job) for job in jobs + following] == [["succeeded"]] * 4


@pytest.mark.quick
@pytest.mark.fault(20)
def test_nothing_hostile_in_redis_runs_or_ends_a_worker(stage: Stage, figure: Figure, tmp_path: Path):
    worker = stage.start_worker()
    evidence = tmp_path / "evidence"
    client = stage.redis.client
    foreign = {  # a message as RQ writes it, that names something else than our one callable
        "data": json.dumps(["os.system", None, [f"touch {evidence}"], {}]),
        "origin": "network",
        "status": "queued",
        "timeout": "180",
    }
    pickled = {**foreign, "data": pickle.dumps(Touch(evidence)), "meta": pickle.dumps(Touch(evidence))}
    client.hset("rq:job:no id", mapping=foreign)  # type: ignore[arg-type]
    keys = ("rq:queue:urgent", "rq:queue:network", "rq:queue:media")
    for key in keys:
        for message in (foreign, pickled, {"data": b"\x00\xff"}):
            client.hset(f"rq:job:{(name := uuid4())}", mapping=message)  # type: ignore[arg-type]
            client.rpush(key, str(name))
        client.rpush(key, "no id", b"\xff\xfe\x00", "", "x" * 1_000_000)
    wait_until(lambda: not client.exists(*keys), what="all of it is taken")
    dropped = len(keys) * 7
    wait_until(lambda: total_dropped() == dropped, what="all of it is counted")
    job = stage.accept("tally", "x")  # a real job, whose message is replaced by a hostile one
    client.hset(f"rq:job:{job.pk}", mapping=foreign)  # type: ignore[arg-type]
    stage.settle()
    for key in keys:
        client.delete(key)
        client.set(key, "no queue")
    more = [stage.accept(kind, "y") for kind in ("tally", "grind")]
    stage.settle()
    stage.judge()
    assert not evidence.exists()
    assert worker.process.alive()
    assert worker.process.log.count("jobs at once") == 2  # no process was started again
    figure(f"{total_dropped()} dropped and counted, 0 ran, {len(more) + 1} jobs done")


FLOOD = """
for number = 1, tonumber(ARGV[2]) do
    local id = string.format('%08x-0000-4000-8000-%012x', number, number)
    if ARGV[1] == 'with messages' then redis.call('HSET', 'rq:job:' .. id, 'data', 'x') end
    redis.call('RPUSH', KEYS[1], id)
end
"""
"""Puts as many ids of nobody's jobs into a queue, with a message each or without."""


@pytest.mark.quick
@pytest.mark.fault(20)
@pytest.mark.parametrize(("count", "how"), [(200_000, "without messages"), (40_000, "with messages")])
def test_a_flood_of_false_hints_holds_up_no_job_behind_it_and_costs_a_line_of_the_log(
    stage: Stage, figure: Figure, count: int, how: str
):
    worker = stage.start_worker("--role", "network")
    stage.redis.client.config_set("busy-reply-threshold", 60_000)
    stage.redis.client.eval(FLOOD, 1, "rq:queue:network", how, count)
    began = time.monotonic()
    jobs = [stage.accept("tally", "x") for _ in range(3)]
    wait_until(lambda: Job.objects.filter(pk=jobs[0].pk, attempt=1).exists(), what="the first one is started")
    assert how == "without messages" or stage.redis.client.llen("rq:queue:network"), "it stood behind all of them"
    figure(f"{count:,} {how}: started {time.monotonic() - began:.1f} s after the flood")
    stage.settle()
    stage.judge()
    wait_until(lambda: not stage.redis.client.llen("rq:queue:network"), seconds=60, what="all of it is taken")
    wait_until(lambda: total_dropped() == count, what="all of it is counted")
    assert worker.process.log.count("were thrown away") == 1
    assert len(worker.process.log.splitlines()) < 20


@pytest.mark.quick
@pytest.mark.fault(20)
def test_false_hints_that_name_jobs_start_none_and_are_no_secret_way_to_another_role(stage: Stage):
    """Jobs that are done, that run, and that only a media worker may run."""
    client, key = stage.redis.client, "rq:queue:network"
    stage.start_worker("--role", "network")
    done = stage.accept("tally")
    stage.settle()
    running = stage.accept("tally", hold="before")
    stage.arrived(running)
    elsewhere = stage.accept("grind")
    for job in [done, running, elsewhere] * 1_000:
        client.rpush(key, str(job.pk))
    for job in (done, running):
        client.hset(f"rq:job:{job.pk}", "data", "x")
    behind = stage.accept("tally")
    wait_until(lambda: outcomes(behind) == ["succeeded"])
    wait_until(lambda: not client.exists(key), what="all hints are taken")
    assert Job.objects.get(pk=elsewhere.pk).attempt == 0
    stage.ledger.let_go()
    stage.start_worker("--role", "media")
    stage.settle()
    stage.judge()
    assert set(Job.objects.values_list("attempt", flat=True)) == {1}


@pytest.mark.quick
@pytest.mark.fault(20)
def test_a_worker_does_not_grow_with_what_lies_in_redis(stage: Stage, figure: Figure):
    worker = stage.start_worker("--role", "network")
    stage.accept("tally")
    stage.settle()
    process = worker.role("network")
    before = process.memory_info().rss
    large = [b"x" * 1_000_000] * 20
    for _ in range(10):
        stage.redis.client.rpush("rq:queue:network", *large)
    stage.accept("tally")
    stage.settle()
    wait_until(lambda: not stage.redis.client.exists("rq:queue:network"), what="all of it is taken")
    more = process.memory_info().rss - before
    figure(f"200 hints of 1 MB: {more / 1e6:.0f} MB more")
    assert more < 50_000_000


@pytest.mark.quick
@pytest.mark.fault(20)
def test_keys_of_ours_that_hold_something_else_are_deleted_and_jobs_go_on(stage: Stage):
    stage.start_worker("--role", "network")
    client = stage.redis.client
    keys = ["rq:queues", "rq:workers", "rq:workers:network", "rq:queue:network", "rq:queue:urgent"]
    keys += [key.decode() for key in wait_until(lambda: list(client.scan_iter("rq:worker:*")), what="it registers")]
    for key in keys:
        client.delete(key)
        client.set(key, "something else")
    stage.accept("tally")
    stage.settle()
    wait_until(lambda: not {client.type(key) for key in keys} & {b"string"}, what="all is as it should be")
    wait_until(lambda: client.smembers("rq:workers"), what="the worker is registered again")
    stage.judge()


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def total_dropped() -> int:
    return Worker.objects.aggregate(all=Sum("dropped"))["all"] or 0


@pytest.mark.quick
@pytest.mark.fault(20)
def test_jobs_whose_queue_was_deleted_run_though_their_messages_are_left(stage: Stage):
    jobs = [stage.accept("tally") for _ in range(3)]
    stage.redis.client.delete("rq:queue:network")
    assert all(stage.redis.client.exists(f"rq:job:{job.pk}") for job in jobs)
    stage.start_worker("--role", "network")
    stage.settle()
    stage.judge()
