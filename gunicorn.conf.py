"""How gunicorn serves the site; it reads this file by itself when started here: `gunicorn config.wsgi`.

WEB_CONCURRENCY is gunicorn's own variable for the number of processes.
https://gunicorn.org/reference/settings/
"""

import os

from config import settings

bind = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else f"{settings.HOST}:{settings.PORT}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# Threads, so that slow uploads and downloads hold up nobody else.
worker_class = "gthread"
threads = 8
graceful_timeout = 5
# Heartbeats in memory where there is such a folder: a busy disk must not look like a hanging process.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 (gunicorn makes its own files there)
control_socket_disable = True
