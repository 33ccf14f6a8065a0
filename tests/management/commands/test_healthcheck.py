"""`manage.py healthcheck`: silent while all is well, and else one sentence."""

import socket
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from jobs.conf import options
from jobs.models import Worker
from jobs.sandbox.services import free_port

pytestmark = pytest.mark.django_db


def register(host: str, *, silent: float = 0) -> None:
    """A worker of that host, seen `silent` seconds ago."""
    seen = timezone.now() - timedelta(seconds=silent)
    Worker.objects.create(name=f"{host[:50]}:1:abc", role="network", concurrency=1, seen_at=seen)


def test_a_host_with_a_living_worker_is_well():
    register(socket.gethostname())
    call_command("healthcheck", "worker")


def test_a_host_whose_worker_is_silent_or_elsewhere_is_not():
    register("elsewhere")
    register(socket.gethostname(), silent=options.WORKER_SILENT_SECONDS + 30)
    with pytest.raises(CommandError, match="No worker of this host"):
        call_command("healthcheck", "worker")


@pytest.mark.django_db(transaction=True)
def test_a_web_server_that_answers_is_well(live_server, offload):
    offload(HOST=live_server.thread.host, PORT=live_server.thread.port)
    call_command("healthcheck", "web")


def test_a_web_server_that_does_not_answer_gets_one_sentence(offload):
    offload(HOST="127.0.0.1", PORT=free_port())
    with pytest.raises(CommandError, match=f"does not answer on 127.0.0.1 port {options.PORT}"):
        call_command("healthcheck", "web")
