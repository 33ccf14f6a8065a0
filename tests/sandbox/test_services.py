"""How the processes of the embedded default are started and stopped."""

import signal
import socket
import subprocess
import sys

import psutil
import pytest

from jobs.sandbox.services import free_port, stop_group
from tests.processes import wait_until

pytestmark = [pytest.mark.apart, pytest.mark.stack]


def test_a_free_port_can_be_listened_on():
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))
        server.listen()


def test_a_group_goes_with_all_its_children_and_one_that_is_gone_is_fine():
    code = r"import os, signal; os.fork(); os.write(1, b'%d\n' % os.getpid()); signal.pause()"
    leader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert leader.stdout
    members = [psutil.Process(int(leader.stdout.readline())) for _ in range(2)]
    stop_group(leader.pid)
    assert leader.wait(20) == -signal.SIGTERM
    leader.stdout.close()
    wait_until(lambda: all(not one.is_running() or one.status() == psutil.STATUS_ZOMBIE for one in members))
    stop_group(leader.pid)
