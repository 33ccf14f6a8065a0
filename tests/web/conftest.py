"""Asking for jobs of the kind `echo` over HTTP, and bringing them to an outcome, as the tests of pages need it."""

import json

from jobs.core import lifecycle
from jobs.models import Job

NEW = "/jobs/new/echo/"
JSON = {"Accept": "application/json"}


def submit_json(client, body, **headers):
    return client.post(NEW, json.dumps(body), content_type="application/json", headers={**JSON, **headers})


def job_of(client, **fields) -> Job:
    return Job.objects.get(pk=submit_json(client, {"text": "Hello", **fields}).json()["id"])


def start(job: Job) -> Job:
    running = lifecycle.start(job.pk, "a worker")
    assert running
    return running


def fail(job: Job, *, can_retry: bool = True) -> None:
    lifecycle.fail(start(job), "told_to_fail", can_retry=can_retry, traceback="line 1")


def succeed(job: Job) -> None:
    lifecycle.succeed(start(job), {"text": "Hello"})
