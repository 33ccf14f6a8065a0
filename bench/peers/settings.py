"""Django settings of the other systems' workers: a database, the rows of bench.peers.rows, and what a system asks for.

The environment: BENCH_DATABASE_URL, BENCH_APPS (comma-separated), BENCH_REDIS (path of the socket).
"""

import os
from typing import Any

import dj_database_url

SECRET_KEY = "for-the-bench-only"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "bench.peers.rows", *filter(None, os.environ["BENCH_APPS"].split(","))]
# Connections are kept, and not asked each time whether they still stand, which is faster.
DATABASES: dict[str, Any] = {
    "default": {**dj_database_url.parse(os.environ["BENCH_DATABASE_URL"]), "CONN_MAX_AGE": None}
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
REDIS_URL = f"unix://{os.environ['BENCH_REDIS']}"
# Only read where django_dramatiq is among the apps.
DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.redis.RedisBroker",
    "OPTIONS": {"url": REDIS_URL},
    "MIDDLEWARE": [
        "dramatiq.middleware.AgeLimit",
        "dramatiq.middleware.TimeLimit",
        "dramatiq.middleware.ShutdownNotifications",
        "dramatiq.middleware.Retries",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
        "django_dramatiq.middleware.AdminMiddleware",
    ],
}
# Each of these is only read by the system it is for.
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
Q_CLUSTER = {
    "name": "bench",
    "redis": REDIS_URL,
    "workers": 2,
    "queue_limit": 500,
    "timeout": 60,
    "retry": 120,
    "save_limit": 0,  # keep all; counting and deleting older ones for each job would be slower
    "recycle": 100_000,
    "log_level": "WARNING",
}
