"""Hints in a real Valkey, and what happens to them."""

import json
import socket
import zlib

import pytest
from django.db import transaction

from jobs.core import dispatch, lifecycle
from jobs.kind import Submission, kind_named
from jobs.models import Job
from jobs.worker import sweep
from tests.environment import VAR

pytestmark = pytest.mark.django_db(transaction=True)


def accept(count: int = 1) -> list[Job]:
    echo = kind_named("echo")
    assert echo
    return lifecycle.submit(echo, [Submission({"text": "very secret"}, "t")] * count, owner=None).jobs


def test_a_message_carries_the_id_of_the_job_and_nothing_else(redis):
    (job,) = accept()
    message = redis.hgetall(f"rq:job:{job.pk}")
    data = json.loads(zlib.decompress(message[b"data"]))
    assert data == ["jobs.worker.execution.perform", None, [str(job.pk)], {}]
    assert b"secret" not in b"".join(message.values())


def test_a_job_is_accepted_while_redis_is_away(offload):
    offload(REDIS_URL=f"unix://{VAR}/nobody-listens.sock")
    (job,) = accept()
    assert Job.objects.runnable().get() == job
    assert dispatch.queue_lengths() is None


def test_redis_is_left_alone_for_a_moment_after_it_did_not_answer(offload):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        offload(REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}")
        accept()
        accept()
        silent.accept()[0].close()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert Job.objects.runnable().count() == 2


def test_nothing_is_pushed_for_a_submit_that_is_rolled_back(redis):
    with transaction.atomic():
        accept()
        transaction.set_rollback(True)
    assert redis.dbsize() == 0


def test_the_sweep_pushes_again_what_redis_has_lost_and_only_that(redis):
    jobs = accept(3)
    redis.delete(f"rq:job:{jobs[0].pk}")
    sweep.push_missing()
    assert [raw.decode() for raw in redis.lrange("rq:queue:network", 0, -1)] == [
        *(str(job.pk) for job in jobs),
        str(jobs[0].pk),
    ]
    redis.flushall()
    sweep.push_missing()
    sweep.push_missing()
    assert dispatch.queue_lengths() == {"urgent": 0, "network": 3, "media": 0}


def test_the_sweep_pushes_a_hint_again_that_a_worker_took_and_died_with_when_its_job_is_the_oldest(redis):
    lost, waiting = accept(2)
    assert redis.lpop("rq:queue:network") == str(lost.pk).encode()
    assert redis.exists(f"rq:job:{lost.pk}")
    sweep.push_missing()
    sweep.push_missing()
    assert [raw.decode() for raw in redis.lrange("rq:queue:network", 0, -1)] == [str(waiting.pk), str(lost.pk)]


def test_it_is_found_also_while_other_jobs_lack_their_message(redis):
    lost, waiting, unpushed = accept(3)
    assert redis.lpop("rq:queue:network") == str(lost.pk).encode()
    redis.lrem("rq:queue:network", 1, str(unpushed.pk))
    redis.delete(f"rq:job:{unpushed.pk}")
    sweep.push_missing()
    pushed = [raw.decode() for raw in redis.lrange("rq:queue:network", 0, -1)]
    assert pushed == [str(waiting.pk), str(lost.pk), str(unpushed.pk)]


def test_what_is_no_queue_is_deleted_and_the_jobs_are_pushed_again(redis):
    (job,) = accept()
    redis.set("rq:queue:network", "no queue")
    sweep.push_missing()
    assert redis.lrange("rq:queue:network", 0, -1) == [str(job.pk).encode()]


@pytest.mark.parametrize("key", ["rq:queues", "rq:queue:network", "its message"])
def test_a_push_deletes_what_stands_in_the_place_of_our_keys(redis, key):
    (job,) = accept()
    message = f"rq:job:{job.pk}"
    redis.delete("rq:queue:network", message)
    redis.delete(key.replace("its message", message))
    redis.set(key.replace("its message", message), "something else")
    assert dispatch.push([(job.pk, "network")])
    assert str(job.pk).encode() in redis.lrange("rq:queue:network", 0, -1)
    assert redis.type(message) == b"hash"


def test_an_urgent_job_is_pushed_to_the_queue_of_those(redis):
    echo = kind_named("echo")
    assert echo
    (job,) = lifecycle.submit(echo, [Submission({}, "t", urgent=True)], owner=None).jobs
    assert redis.lrange("rq:queue:urgent", 0, -1) == [str(job.pk).encode()]
    assert dispatch.queue_lengths() == {"urgent": 1, "network": 0, "media": 0}


def test_a_job_that_computes_can_not_be_urgent():
    crunch = kind_named("crunch")
    assert crunch
    with pytest.raises(ValueError, match=r"crunch: only jobs of Role\.NETWORK can be urgent"):
        lifecycle.submit(crunch, [Submission({}, "t", urgent=True)], owner=None)
    assert not Job.objects.exists()
