"""The practice network's server process."""

from socket import socket

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from gunicorn.app.base import BaseApplication


class NetworkServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with one process of 64 threads: slow answers are the normal case here, and they compute nothing.

    https://docs.gunicorn.org/en/stable/custom.html
    """

    def __init__(self, listener: socket) -> None:
        self.listener = listener
        super().__init__()

    def load_config(self) -> None:
        """Settings of gunicorn."""
        self.cfg.set("bind", f"fd://{self.listener.detach()}")
        self.cfg.set("worker_class", "gthread")
        self.cfg.set("threads", 64)
        self.cfg.set("graceful_timeout", 5)
        self.cfg.set("loglevel", "warning")
        self.cfg.set("proc_name", "practice_network")
        self.cfg.set("control_socket_disable", True)

    def load(self) -> WSGIHandler:
        """The WSGI application, in a process that serves nothing else: its own addresses, and no sessions or CSRF
        protection, since a client of the API comes with a token and the pages have no sign-in.
        """
        settings.ROOT_URLCONF = f"{__package__}.network_urls"
        settings.MIDDLEWARE = [
            "django.middleware.security.SecurityMiddleware",
            "csp.middleware.CSPMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ]
        return WSGIHandler()
