"""How gunicorn serves the site; it reads this file by itself when started here: `gunicorn config.asgi`.

WEB_CONCURRENCY is gunicorn's own variable for the number of processes.
https://gunicorn.org/reference/settings/
"""

import logging
import os
import resource
import sys

from accounts.logs import WithoutKeys
from config.settings import options

bind = f"[{options.HOST}]:{options.PORT}" if ":" in options.HOST else f"{options.HOST}:{options.PORT}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# An event loop in each process takes requests and gives answers away; threads compute (config/front.py).
worker_class = "config.connections.Worker"
asgi_lifespan = "off"
# A client that has gone needs no answer any more.
asgi_disconnect_grace_period = 0
# Pages that wait ask again after 1 to 10 seconds (jobs.web.job_status.PACE), over the connection they have. It is also
# the time for the head of a request.
keepalive = 15
# Each connection is an open file, and some have another one: a body on disk, a file that is sent.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_files = 6000 if _hard == resource.RLIM_INFINITY else min(6000, _hard)
if _soft != resource.RLIM_INFINITY and _soft < _files:
    resource.setrlimit(resource.RLIMIT_NOFILE, (_files, _hard))
worker_connections = max(50, _files - 1000)
# Linux shares new connections evenly then. Otherwise one process takes nearly all, for as long as they are kept.
reuse_port = sys.platform == "linux"
graceful_timeout = 5
# Only Django's own settings say which headers of a proxy are believed (BEHIND_PROXY), wherever a request comes from.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
# Heartbeats in memory where there is such a folder: a busy disk must not look like a hanging process.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 (gunicorn makes its own files there)
control_socket_disable = True
# For whoever has requests logged (--access-logfile): addresses of pages hold the keys of mailed links.
logging.getLogger("gunicorn.access").addFilter(WithoutKeys())
