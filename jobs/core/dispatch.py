"""Handing jobs to RQ. A message in Redis is only a hint: "look at this job". The row decides whether it may run.

Nothing here raises when Redis is away or slow: the sweep (`jobs.worker.sweep`) finds every due job whose hint is
missing.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from uuid import UUID

from redis import Redis, RedisError, ResponseError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue as Line
from rq.job import Job as Message
from rq.serializers import JSONSerializer

from ..conf import options
from ..kind import Queue

logger = logging.getLogger(__name__)

PERFORM = f"{__package__.rpartition('.')[0]}.worker.execution.perform"
"""The one callable that a message may name."""

TIMEOUT = 1.0
"""Seconds to wait for Redis where somebody waits for us."""
PROBE_TIMEOUT = 0.2
"""The same where we only want to know whether it answers."""

NEAR = 10_000
"""How far from its beginning the oldest job's hint is looked for in a queue."""
AWAY_SECONDS = 1.0
"""How long Redis is left alone after it did not answer: a hundred people are not to wait for it one after another."""
_away_until = 0.0


def connect(timeout: float = TIMEOUT) -> Redis:
    """A client that gives up after `timeout` seconds and never repeats a command (a repeated push is a second hint)."""
    return Redis.from_url(
        options.REDIS_URL,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, TIMEOUT),
        retry=Retry(NoBackoff(), 0),
    )


@cache
def _client() -> Redis:
    """The client for all but workers' waiting. One for each process: making one takes 10 ms."""
    return connect()


@cache
def _probe() -> Redis:
    """A client that gives up soon: whoever waits for a page is not to wait for Redis."""
    return connect(PROBE_TIMEOUT)


@cache
def _line(queue: Queue) -> Line:
    """RQ's side of a queue. One for each process: it asks the server for its version once."""
    return Line(str(queue), connection=_client(), serializer=JSONSerializer)


def key_of(queue: Queue) -> str:
    """Where Redis keeps the hints of a queue."""
    return f"{Line.redis_queue_namespace_prefix}{queue}"


def reset() -> None:
    """Begin anew with Redis: connect again, and forget that it did not answer."""
    global _away_until
    for made in (_client, _probe, _line):
        made.cache_clear()
    _away_until = 0.0


def push(jobs: Iterable[tuple[UUID, str]]) -> bool:
    """Put a hint for each (job id, queue) into its queue. False, with a line in the log, if Redis did not take them."""
    global _away_until
    if time.monotonic() < _away_until:
        return False
    by_queue: defaultdict[Queue, list[UUID]] = defaultdict(list)
    for job_id, queue in jobs:
        by_queue[Queue(queue)].append(job_id)
    try:
        for its_queue, ids in by_queue.items():
            try:
                _enqueue(its_queue, ids)
            except ResponseError as error:
                messages = dict.fromkeys([Message.key_for(str(job_id)) for job_id in ids], "hash")
                mend(_client(), error, {Line.redis_queues_keys: "set", key_of(its_queue): "list", **messages})
                _enqueue(its_queue, ids)
    except RedisError as error:
        _away_until = time.monotonic() + AWAY_SECONDS
        logger.warning(
            "Redis did not take %d hints, the sweep will push them: %s", sum(map(len, by_queue.values())), error
        )
        return False
    return True


def _enqueue(queue: Queue, ids: list[UUID]) -> None:
    _line(queue).enqueue_many(
        [
            Line.prepare_data(PERFORM, args=[str(job_id)], job_id=str(job_id), description=f"job {job_id}")
            for job_id in ids
        ]
    )


def without_hint(job_ids: list[UUID], queue: Queue) -> list[UUID]:
    """Those of the due jobs of one queue, the oldest first, that have no hint in Redis. Raises RedisError.

    Whoever takes a hint removes its message with it, or right after the claim of its job. A hint that a worker took and
    then died with leaves its message behind; that is seen as soon as its job is the oldest.
    """
    key, client = key_of(queue), _client()
    messages = [Message.key_for(str(job_id)) for job_id in job_ids]
    # Mostly they are all there, and one question is enough.
    with client.pipeline(transaction=False) as pipe:
        pipe.exists(*messages)
        pipe.exists(key)
        pipe.lpos(key, str(job_ids[0]), maxlen=NEAR)
        try:
            found, stands, place = pipe.execute()
        except ResponseError as error:
            mend(client, error, {key: "list"})
            stands = False
    if not stands:
        return job_ids  # the line itself was lost: a message alone leads nobody to its job
    if found == len(messages):
        return job_ids[:1] if place is None else []
    with client.pipeline(transaction=False) as pipe:
        for message in messages:
            pipe.exists(message)
        exist = pipe.execute()
    without = [job_id for job_id, exists in zip(job_ids, exist, strict=True) if not exists]
    return without if place is not None or job_ids[0] in without else [job_ids[0], *without]


def mend(client: Redis, error: ResponseError, types: Mapping[str, str]) -> int:
    """Delete those of the keys that are not of their type (https://redis.io/docs/latest/commands/type/), if that is
    what the error says. Returns how many. Raises any other error again.
    """
    if "WRONGTYPE" not in str(error):
        raise error
    wrong = [key for key, type_ in types.items() if client.type(key) not in {type_.encode(), b"none"}]
    return client.unlink(*wrong) if wrong else 0


def answers() -> bool:
    """Whether Redis answers, within PROBE_TIMEOUT."""
    try:
        return bool(_probe().ping())
    except RedisError:
        return False


def queue_lengths() -> dict[str, int] | None:
    """Hints waiting in Redis for each queue; None when Redis does not answer."""
    try:
        with _client().pipeline(transaction=False) as pipe:
            for queue in Queue:
                pipe.llen(key_of(queue))
            return dict(zip(map(str, Queue), pipe.execute(), strict=True))
    except RedisError:
        return None
