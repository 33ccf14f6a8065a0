import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections, router

from jobs.models import Job
from jobs.sandbox.models import Status


def test_the_sandbox_lives_in_its_own_database_and_nothing_else_does():
    assert router.db_for_read(Status) == router.db_for_write(Status) == "sandbox"
    for model in (Job, User):
        assert router.db_for_read(model) == router.db_for_write(model) == "default"
    allowed = {
        (alias, model): router.allow_migrate_model(alias, model)
        for alias in settings.DATABASES
        for model in (Status, Job)
    }
    assert allowed == {
        ("default", Status): False,
        ("default", Job): True,
        ("sandbox", Status): True,
        ("sandbox", Job): False,
    }


@pytest.mark.django_db(databases=["default", "sandbox"])
def test_the_tables_are_where_the_router_says():
    sandbox = set(connections["sandbox"].introspection.table_names())
    default = set(connections["default"].introspection.table_names())
    assert {name for name in sandbox if not name.startswith("offload_sandbox_")} == {"django_migrations"}
    assert not {name for name in default if name.startswith("offload_sandbox_")}
    assert "offload_job" in default
