"""The fixtures of the fault tests, and which of them run when.

`make test` runs those marked `quick`. OFFLOAD_FAULTS=all runs all; `make faults` does that.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from tests.environment import DATABASE
from tests.faults.ledger import Ledger
from tests.faults.matrix import ONLY_ON
from tests.faults.proxy import Proxy
from tests.faults.stage import RedisServer, Stage, Web
from tests.processes import ROOT, manage

HERE = Path(__file__).parent
Figure = Callable[[str], None]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not quick unless all is asked for, and rows that say nothing on this database."""
    left_out = [
        item
        for item in items
        if HERE in item.path.parents
        and (
            (not item.get_closest_marker("quick") and os.environ.get("OFFLOAD_FAULTS") != "all")
            or ((row := item.get_closest_marker("fault")) and _only_on(row) != DATABASE)
        )
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _only_on(row: pytest.Mark) -> str:
    """The database on which the test of a row says something: this one, if it does on both."""
    return str(row.kwargs.get("only_on", ONLY_ON.get(row.args[0], DATABASE)))


@pytest.fixture(autouse=True)
def row(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """Note the row that the test shows."""
    record_property("row", request.node.get_closest_marker("fault").args[0])


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Note a figure for the matrix."""
    return lambda text: record_property("figure", text)


@pytest.fixture
def stage(transactional_db: None, child_env: dict[str, str], offload) -> Iterator[Stage]:
    """A Redis and a ledger of the test's own. This process uses that Redis too."""
    server, ledger = RedisServer(), Ledger()
    offload(REDIS_URL=server.url)
    stage = Stage(child_env, server, ledger)
    yield stage
    stage.stop()
    ledger.stop()
    server.stop()


@pytest.fixture
def proxy(stage: Stage) -> Iterator[Proxy]:
    """Between the stage's processes and its Redis."""
    proxy = Proxy(str(stage.redis.socket))
    stage.through(proxy)
    yield proxy
    stage.stop()
    proxy.stop()


@pytest.fixture(scope="session")
def collected(child_env: dict[str, str]) -> None:
    """The style sheet and scripts, as the site in gunicorn names them."""
    command = manage("collectstatic", "--no-input", "--verbosity", "0")
    subprocess.run(command, cwd=ROOT, env={**os.environ, **child_env}, check=True)


@pytest.fixture
def web(stage: Stage, collected: None, user: User) -> Iterator[Web]:
    """The site, and a client of it who is signed in."""
    web = Web(stage.env, user)
    try:
        web.wait()
        yield web
    finally:
        web.stop()
