"""Handing jobs to RQ. A message in Redis is only a hint: "look at this job". The row decides whether it may run.

Nothing here raises when Redis is away or slow: the sweep (`jobs.sweep`) finds every due job whose hint is missing.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from redis import Redis, RedisError, ResponseError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.job import Job as Message
from rq.serializers import JSONSerializer

from jobs.kind import Role

logger = logging.getLogger(__name__)

PERFORM = "jobs.execution.perform"
"""The one callable that a message may name."""

TIMEOUT = 1.0
"""Seconds to wait for Redis where somebody waits for us."""
PROBE_TIMEOUT = 0.2
"""The same where we only want to know whether it answers."""

AWAY_SECONDS = 1.0
"""How long Redis is left alone after it did not answer: a hundred people are not to wait for it one after another."""
_away_until = 0.0


def connect(timeout: float = TIMEOUT) -> Redis:
    """A client that gives up after `timeout` seconds and never repeats a command (a repeated push is a second hint)."""
    return Redis.from_url(
        settings.REDIS_URL,
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
def _queue(role: Role) -> Queue:
    """The RQ queue of a role. One for each process: it asks the server for its version once."""
    return Queue(str(role), connection=_client(), serializer=JSONSerializer)


def reset() -> None:
    """Begin anew with Redis: connect again, and forget that it did not answer."""
    global _away_until
    for made in (_client, _probe, _queue):
        made.cache_clear()
    _away_until = 0.0


def push(jobs: Iterable[tuple[UUID, str]]) -> bool:
    """Put a hint for each (job id, role) into its queue. False, with a line in the log, if Redis did not take them."""
    global _away_until
    if time.monotonic() < _away_until:
        return False
    by_role: defaultdict[Role, list[UUID]] = defaultdict(list)
    for job_id, role in jobs:
        by_role[Role(role)].append(job_id)
    try:
        for role, ids in by_role.items():
            _queue(role).enqueue_many(
                [
                    Queue.prepare_data(PERFORM, args=[str(job_id)], job_id=str(job_id), description=f"job {job_id}")
                    for job_id in ids
                ]
            )
    except RedisError as error:
        _away_until = time.monotonic() + AWAY_SECONDS
        logger.warning(
            "Redis did not take %d hints, the sweep will push them: %s", sum(map(len, by_role.values())), error
        )
        return False
    return True


def without_hint(job_ids: list[UUID], role: Role) -> list[UUID]:
    """Those of the jobs of one role that have no message in Redis. Raises RedisError when Redis does not answer."""
    line, client = _queue(role), _client()
    keys = [Message.key_for(str(job_id)) for job_id in job_ids]
    # Mostly they are all there, and one question is enough.
    with client.pipeline(transaction=False) as pipe:
        pipe.exists(*keys)
        pipe.exists(line.key, line.intermediate_queue_key)
        found, stands = pipe.execute()
    if not stands:
        return job_ids  # the line itself was lost: a message alone leads nobody to its job
    if found == len(keys):
        return []
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.exists(key)
        exist = pipe.execute()
    return [job_id for job_id, exists in zip(job_ids, exist, strict=True) if not exists]


def clear_stranded(seen: set[str]) -> set[str]:
    """Drop hints that a worker moved out of a queue and then died, so that the sweep pushes those jobs again.

    seen: what the last call returned. A hint that stands there for two looks in a row is stranded: a living worker
    removes it as soon as it has claimed the job, or is busy with it. Returns what stands there now. Raises RedisError.
    """
    standing: set[str] = set()
    client = _client()
    for role in Role:
        key = _queue(role).intermediate_queue_key
        try:
            raws = cast(list[Any], client.lrange(key, 0, -1))
        except ResponseError as error:
            raws = []
            drop_if_no_line(client, error, key)
        ids = {raw.decode(errors="replace"): raw for raw in raws}
        for job_id in ids.keys() & seen:
            with client.pipeline() as pipe:
                pipe.delete(Message.key_for(job_id))
                pipe.lrem(key, 0, ids[job_id])
                pipe.execute()
        standing |= ids.keys()
    return standing


def drop_if_no_line(client: Redis, error: ResponseError, *keys: str) -> None:
    """Delete `keys` if the error says that what is kept there is no queue. Raises any other error again."""
    if not str(error).startswith("WRONGTYPE"):
        raise error
    logger.error("What Redis keeps under %s is no queue: it is deleted", " or ".join(keys))
    client.delete(*keys)


def answers() -> bool:
    """Whether Redis answers, within PROBE_TIMEOUT."""
    try:
        return bool(_probe().ping())
    except RedisError:
        return False


def queue_lengths() -> dict[str, int] | None:
    """Messages waiting in Redis for each role; None when Redis does not answer."""
    try:
        with _client().pipeline(transaction=False) as pipe:
            for role in Role:
                pipe.llen(Queue.redis_queue_namespace_prefix + role)
            return dict(zip(map(str, Role), pipe.execute(), strict=True))
    except RedisError:
        return None
