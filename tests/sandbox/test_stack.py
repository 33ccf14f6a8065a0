"""`manage.py run` as its user meets it: what it says, what it starts, and what it leaves behind."""

import fcntl
import os
import re
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

from jobs.sandbox import samples
from jobs.sandbox.demo import OWN_SERVICES
from jobs.sandbox.services import free_port, stop_group, valkey_command
from jobs.sandbox.stack import DEMO, STAFF
from jobs.sandbox.visitor import Visitor
from tests.processes import Process, manage, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.apart]


class Stack:
    """A data folder with ports of its own, and the runs in it."""

    def __init__(self, folder: Path) -> None:
        self.var = folder / "var"
        self.port, self.network_port, self.smtp_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.runs: list[Process] = []

    def run(self, *args: str, **env: str) -> Process:
        """Start `manage.py run ARGS`, with nothing of the tests' own services in its environment."""
        settings = {
            "VAR_DIR": str(self.var),
            "PORT": str(self.port),
            "SANDBOX_URL": f"http://127.0.0.1:{self.network_port}",
            "SANDBOX_SMTP_PORT": str(self.smtp_port),
            **env,
        }
        # Without PYTHONUNBUFFERED: what it says has to come at once all the same.
        without = [part for name in (*OWN_SERVICES, "PYTHONUNBUFFERED") if name not in env for part in ("-u", name)]
        process = Process(["env", *without, *manage("run", *args)], settings, name="run")
        self.runs.append(process)
        return process

    def started(self, *args: str, **env: str) -> Process:
        """The same, and wait until it says where to go."""
        process = self.run(*args, **env)
        self.wait_for_line(process, "Ctrl-C stops everything.")
        return process

    @staticmethod
    def wait_for_line(process: Process, line: str) -> None:
        wait_until(lambda: line in process.log or not process.alive(), seconds=90, what=f"the run says: {line}")
        assert line in process.log, process.log

    @staticmethod
    def refused(process: Process) -> str:
        """The one sentence of a run that does not start."""
        assert process.popen.wait(60) == 1, process.log
        assert len(process.log.splitlines()) == 1, process.log
        return process.log

    def ports_are_free(self) -> bool:
        return all(_can_listen(port) for port in (self.port, self.network_port, self.smtp_port))


@pytest.fixture
def stack() -> Iterator[Stack]:
    # Not pytest's own folder, whose path may be too long for a socket.
    with TemporaryDirectory(prefix="offload-run-") as folder:
        stack = Stack(Path(folder))
        yield stack
        for process in stack.runs:
            process.stop(20)


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def _all_of(run: Process) -> list[psutil.Process]:
    parent = psutil.Process(run.pid)
    return [parent, *parent.children(recursive=True)]


def _password(stack: Stack, email: str) -> str:
    return dict(line.split() for line in (stack.var / "accounts.txt").read_text().splitlines())[email]


def test_the_first_start_submits_a_job_of_each_kind_connects_an_account_and_the_second_keeps_what_is_there(stack):
    first = stack.started()
    stack.wait_for_line(first, f"were submitted for {DEMO}")
    passwords = {email: _password(stack, email) for email in (DEMO, STAFF)}
    assert all(password in first.log for password in passwords.values())
    before = _jobs_of_demo(stack)
    assert sorted((job["kind"], job["status"]) for job in before.values()) == [
        ("avatar", "succeeded"),
        ("connect", "succeeded"),
        ("connect", "succeeded"),
        ("email", "succeeded"),
        ("media", "succeeded"),
        ("social", "succeeded"),
    ]
    first.signal(signal.SIGTERM)
    assert first.popen.wait(60) == 0, first.log

    second = stack.started()
    assert not any(password in second.log for password in passwords.values())
    assert {email: _password(stack, email) for email in (DEMO, STAFF)} == passwords
    assert _jobs_of_demo(stack).keys() == before.keys()
    visitor = Visitor(stack.url)
    visitor.sign_in(STAFF, passwords[STAFF])
    assert "Site administration" in visitor.get("/admin/").text
    visitor.close()


def test_all_that_a_run_makes_is_closed_to_others_in_a_folder_that_was_open_before(stack):
    stack.var.mkdir()
    stack.var.chmod(0o755)
    before = os.umask(0)
    run = stack.started("--no-samples", SECRET_KEY="")
    os.umask(before)
    assert f"chmod 700 {stack.var}." in run.log
    visitor = Visitor(stack.url)
    visitor.sign_in(DEMO, _password(stack, DEMO))
    photo = ("photo.jpg", samples.sample_photo(), "image/jpeg")
    visitor.outcome("/jobs/new/media/", {}, files={"file": photo}, seconds=60)
    visitor.send(visitor.get("/export/"), {})
    visitor.close()
    wait_until(lambda: any(stack.var.rglob("*.zip")), seconds=60, what="the copy of the data is made")
    made = {path.relative_to(stack.var): path.lstat().st_mode for path in stack.var.rglob("*")}
    names = {path.parts[0] for path in made}
    assert names >= {"secret_key", "accounts.txt", "run.lock", "valkey.sock", "appendonlydir", "media", "static"}
    assert names >= {"offload.sqlite3", "offload.sqlite3-wal", "offload.sqlite3-shm", "sandbox.sqlite3"}
    assert [f"{stat.filemode(mode)} {path}" for path, mode in made.items() if mode & 0o077] == []
    assert stat.S_IMODE(stack.var.stat().st_mode) == 0o755


def _jobs_of_demo(stack: Stack) -> dict[str, Any]:
    """The finished jobs of the demo user, by page."""
    visitor = Visitor(stack.url)
    visitor.sign_in(DEMO, _password(stack, DEMO))
    pages = set(re.findall(r'href="(/jobs/[0-9a-f-]{36}/)"', visitor.get("/jobs/").text))
    jobs = {page: visitor.watch(f"{stack.url}{page}", 60) for page in pages}
    visitor.close()
    return jobs


def test_ctrl_c_stops_everything_and_leaves_no_process(stack):
    run = stack.started("--no-samples")
    processes = _all_of(run)
    assert len(processes) > 10
    # A terminal sends the signal to the whole group in its foreground.
    stop_group(run.pid, signal.SIGINT)
    assert run.popen.wait(60) == 0, run.log
    wait_until(lambda: _gone(processes), seconds=2, what="every process is gone")
    assert stack.ports_are_free()
    assert "Traceback" not in run.log
    assert run.log.rstrip().endswith(f"Stopped. The data is in {stack.var}.")


def test_a_terminal_that_is_closed_stops_everything_too(stack):
    # Tests that run under nohup ignore the signal, and so would what they start.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    run = stack.started("--no-samples")
    signal.signal(signal.SIGHUP, before)
    processes = _all_of(run)
    run.signal(signal.SIGHUP)
    assert run.popen.wait(60) == 0, run.log
    wait_until(lambda: _gone(processes), seconds=2, what="every process is gone")


def test_a_signal_while_it_starts_leaves_no_process(stack):
    run = stack.run("--no-samples")
    stack.wait_for_line(run, "Getting the data ready")
    wait_until(lambda: len(_all_of(run)) > 1, seconds=60, what="the first process starts")
    stop_group(run.pid, signal.SIGINT)
    run.popen.wait(20)
    wait_until(stack.ports_are_free, seconds=2, what="nothing listens")
    left = [one for one in psutil.process_iter() if str(stack.var) in _environment(one)]
    assert left == []


def _environment(process: psutil.Process) -> str:
    try:
        return process.environ().get("VAR_DIR", "")
    except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def test_a_process_that_dies_ends_the_run_and_is_named(stack):
    run = stack.started("--no-samples")
    processes = _all_of(run)
    (valkey,) = [one for one in processes if one.name().startswith("valkey-server")]
    valkey.kill()
    assert run.popen.wait(20) == 1
    assert "The process 'valkey' ended by itself (signal SIGKILL" in run.log.splitlines()[-1]
    wait_until(lambda: _gone(processes), seconds=2, what="every process is gone")


def test_a_taken_port_is_named_before_anything_starts(stack):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        sentence = stack.refused(stack.run(PORT=str(port)))
    assert sentence == f"CommandError: Port {port} of 127.0.0.1 is taken: set PORT to a free one.\n"
    assert not (stack.var / "offload.sqlite3").exists()


def test_one_port_for_two_servers_is_noticed(stack):
    sentence = stack.refused(stack.run(SANDBOX_SMTP_PORT=str(stack.port)))
    assert f"Port {stack.port} of 127.0.0.1 is taken: set SANDBOX_SMTP_PORT" in sentence


def test_an_address_of_another_machine_is_named(stack):
    sentence = stack.refused(stack.run(HOST="192.0.2.1"))
    assert "'192.0.2.1' is no address of this machine: set HOST" in sentence


@pytest.mark.parametrize("folder", ["/proc", "/dev/null/var"])
def test_a_folder_that_cannot_be_written_is_named(stack, folder):
    run = stack.run(VAR_DIR=folder)
    assert run.popen.wait(60) == 1, run.log
    assert folder in run.log.splitlines()[-1]
    assert "Traceback" not in run.log


def test_a_path_too_long_for_a_socket_is_named(stack):
    sentence = stack.refused(stack.run(VAR_DIR=str(stack.var / ("deep" * 25))))
    assert "is too long for a socket: set VAR_DIR" in sentence


def test_a_second_run_in_one_folder_is_refused(stack):
    stack.var.mkdir()
    with (stack.var / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        sentence = stack.refused(stack.run())
    assert f"Offload already runs in {stack.var} (process 4711): stop it first" in sentence


def test_given_services_are_used_in_place_of_embedded_ones(stack):
    folder = stack.var.parent
    theirs = Process(valkey_command(folder, folder / "theirs.sock"), name="valkey")
    smtp = free_port()
    run = stack.started(
        "--no-samples",
        REDIS_URL=f"unix://{folder}/theirs.sock",
        EMAIL_URL=f"smtp://127.0.0.1:{smtp}",
        SANDBOX="1",
        SECRET_KEY="x" * 50,
    )
    commands = [" ".join(one.cmdline()) for one in _all_of(run)]
    assert not any("valkey-server" in command or "mailcatcher" in command for command in commands)
    assert _can_listen(stack.smtp_port)
    theirs.stop()
