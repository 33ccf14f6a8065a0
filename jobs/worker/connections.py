"""The database connections of a worker process."""

from django.db import connection

from ..conf import options

POOL_SECONDS = 10
"""How long a thread waits for a connection of the pool, before it counts as an outage of the database."""
RECONNECT_SECONDS = 2
"""How long the pool itself tries to reconnect; after that each thread that asks makes it try again at once."""


def share_connections() -> None:
    """Have the threads of this process share a pool of connections, on PostgreSQL: each connection costs the server a
    process, and a thread that waits for an API needs none.

    Not this thread. It renews the leases: it must neither stand in line behind the others, nor wait for the pool, which
    tries less and less often while the database is away.
    https://docs.djangoproject.com/en/5.2/ref/databases/#postgresql-pool
    https://www.psycopg.org/psycopg3/docs/api/pool.html#psycopg_pool.ConnectionPool
    """
    if connection.vendor != "postgresql":
        return
    shared = connection.settings_dict  # one object for all threads
    connection.settings_dict = dict(shared)
    pool = {
        "min_size": 2,
        "max_size": options.DATABASE_POOL_SIZE,
        "timeout": POOL_SECONDS,
        "reconnect_timeout": RECONNECT_SECONDS,
    }
    shared.update(OPTIONS={**shared["OPTIONS"], "pool": pool}, CONN_MAX_AGE=0)
