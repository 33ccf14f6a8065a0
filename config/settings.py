"""All settings of Offload, each read from the environment with a default that works on one machine.

Without any variable set the project runs in its *embedded default*: SQLite, Valkey, media files and a generated secret
key below `var/`, and the sandbox (mail catcher and practice network) on. As soon as DATABASE_URL, REDIS_URL or
EMAIL_URL names a real service that default is left: the secret key must then be given, and the sandbox is off unless
asked for.
`manage.py check --deploy` tells what is missing; docs/running.md lists every variable.
"""

import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import available_timezones

from django.core.exceptions import ImproperlyConfigured
from environs import Env, ValidationError, validate
from redis.connection import parse_url

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
positive = validate.Range(min=1)
port = validate.Range(min=1, max=65535)


def origin(url: str) -> None:
    """Refuse what is no scheme://host:port. Raises ValidationError."""
    try:
        parts = urlsplit(url)
        whole = url.removesuffix("/") == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
        if whole and parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return
    except ValueError:
        pass  # a port that is none
    raise ValidationError("It must look like http://127.0.0.1:8001.")


def origins(urls: list[str]) -> None:
    """Refuse a list in which one is no origin. Raises ValidationError."""
    for url in urls:
        origin(url)


# --- Where things are kept, and whether this is the embedded default -------------------------------------------------

VAR_DIR: Path = env.path("VAR_DIR", BASE_DIR / "var").resolve()
EMBEDDED: bool = not any(os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL"))
SANDBOX: bool = env.bool("SANDBOX", EMBEDDED)
SANDBOX_URL: str = env.str("SANDBOX_URL", "http://127.0.0.1:8001", validate=origin).rstrip("/")
# Origins (scheme://host:port) of stand-ins for the outside world: the only addresses that the social kind calls
# although they are on this machine or speak plain HTTP. Without the sandbox there are none.
SANDBOX_ORIGINS: list[str] = env.list("SANDBOX_ORIGINS", [SANDBOX_URL], validate=origins)
SANDBOX_SMTP_PORT: int = env.int("SANDBOX_SMTP_PORT", 8025, validate=port)
DEBUG: bool = env.bool("DEBUG", False)

try:
    # For its owner only: databases and uploads are in there.
    VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"VAR_DIR: the folder {VAR_DIR} can't be made ({error.strerror}).") from None


def _secret_key() -> str:
    """SECRET_KEY from the environment; in the embedded default one is made once and kept in var/."""
    given = env.str("SECRET_KEY", "")
    if given or not EMBEDDED:
        return given
    path = VAR_DIR / "secret_key"
    try:
        if not path.exists():
            # Another process may do the same just now: the file appears whole, and the first one stays.
            with NamedTemporaryFile("w", dir=VAR_DIR) as file:
                file.write(secrets.token_urlsafe(50))
                file.flush()
                with suppress(FileExistsError):
                    os.link(file.name, path)
        return path.read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"VAR_DIR: {path} can't be kept ({error.strerror}).") from None


SECRET_KEY = _secret_key()
# Salt of the keys that encrypt payloads and credentials; the keys themselves are derived from SECRET_KEY
# (django-fernet-encrypted-fields). Changing it makes what is encrypted unreadable. jobs/apps.py has the default.
if _salt := env.str("SALT_KEY", ""):
    SALT_KEY = _salt

# --- Web -------------------------------------------------------------------------------------------------------------

# Where gunicorn listens (gunicorn.conf.py).
HOST: str = env.str("HOST", "127.0.0.1")
PORT: int = env.int("PORT", 8000, validate=validate.Range(min=1, max=65535))
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
HTTPS: bool = env.bool("HTTPS", False)
BEHIND_PROXY: bool = env.bool("BEHIND_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
# The limits of sign-in and mail count by the client's address: the last one that the proxy put into X-Forwarded-For.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_PROXY else 0
SECURE_SSL_REDIRECT = HTTPS
# Whatever watches over the processes asks on the machine itself, where there is no TLS.
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "jobs.web.views.csrf_failure"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    # Its templates stand behind those of templates/django/forms, which the renderer below finds first.
    "django.forms",
    # Its templates take the place of allauth's.
    "accounts",
    "allauth",
    "allauth.account",
    "csp",
    # jobs stands before django_rq so that its rqworker command is the one that runs.
    "jobs",
    "jobs.kinds.email",
    "jobs.kinds.media",
    "jobs.kinds.social",
    "jobs.kinds.arithmetic",
    "jobs.kinds.lab",
    "jobs.kinds.personal",
    "django_rq",
    *(["jobs.sandbox"] if SANDBOX else []),
    # Further apps that bring kinds of their own.
    *env.list("EXTRA_APPS", []),
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "jobs.web.polling.middleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "jobs.web.time_zone.middleware",
]

# A form may lead to another site only where a person connects an account there (OAuth); browsers apply form-action
# to the redirects that follow a submit. https://www.w3.org/TR/CSP3/#directive-form-action
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'", "https:", *([SANDBOX_URL] if SANDBOX else [])],
    }
}

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "jobs.web.navigation.site",
            ],
        },
    },
]

LANGUAGE_CODE = "en"
TIME_ZONE: str = env.str("TIME_ZONE", "UTC", validate=validate.OneOf(available_timezones(), error="no such time zone"))
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    # Private files: no URL leads here; a view hands them to their owner.
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(VAR_DIR / "media")},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Data ------------------------------------------------------------------------------------------------------------


def _database(variable: str, default: Path) -> dict[str, Any]:
    """A Django database from a URL. SQLite gets what lets several processes write: WAL and IMMEDIATE transactions."""
    config: dict[str, Any] = dict(env.dj_db_url(variable, f"sqlite:///{quote(str(default))}"))
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    elif config["ENGINE"] == "django.db.backends.postgresql":
        # A process that is frozen in the middle of a transaction must not keep its locks: the sweep waits for them.
        # https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-IDLE-IN-TRANSACTION-SESSION-TIMEOUT
        config.setdefault("OPTIONS", {}).setdefault("options", "-c idle_in_transaction_session_timeout=10s")
    else:
        raise ImproperlyConfigured(f"{variable} must name a SQLite or PostgreSQL database.")
    return config


DATABASES = {"default": _database("DATABASE_URL", VAR_DIR / "offload.sqlite3")}
DATABASES["default"]["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", 60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Connections that the threads of one network worker share at most, on PostgreSQL.
DATABASE_POOL_SIZE: int = env.int("DATABASE_POOL_SIZE", 20, validate=validate.Range(min=4))
if SANDBOX:
    # The stand-ins for the outside world keep their own data, as the outside world would.
    DATABASES["sandbox"] = _database("SANDBOX_DATABASE_URL", VAR_DIR / "sandbox.sqlite3")
    DATABASE_ROUTERS = ["jobs.sandbox.router.SandboxRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Rate limits of sign-in and mail resend live in the cache. In the database they work for every web process, and
# while Redis is away.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}}

# --- Queue -----------------------------------------------------------------------------------------------------------

REDIS_SOCKET: Path = VAR_DIR / "valkey.sock"
REDIS_URL: str = env.str("REDIS_URL", f"unix://{quote(str(REDIS_SOCKET))}")
try:
    parse_url(REDIS_URL)  # type: ignore[no-untyped-call]
except ValueError as error:
    raise ImproperlyConfigured(f"REDIS_URL: {error}") from None
# The queues of jobs.kind.Queue. django-rq reads this for its own pages; jobs.core.dispatch and jobs.worker.loop open
# connections of their own.
RQ_QUEUES = {
    name: {"URL": f"{REDIS_URL}{'&' if '?' in REDIS_URL else '?'}socket_connect_timeout=1&socket_timeout=2", "DB": None}
    for name in ("urgent", "network", "media")
}
RQ = {"COMMIT_MODE": "auto"}
# The admin's start page links to them already.
RQ_SHOW_ADMIN_LINK = False

# Seconds a worker may keep silent before its running jobs are taken from it, on the database's clock.
JOB_LEASE_SECONDS: float = env.float("JOB_LEASE_SECONDS", 10, validate=validate.Range(min=1))
# Seconds between two looks of the sweep.
JOB_SWEEP_SECONDS: float = env.float("JOB_SWEEP_SECONDS", 1, validate=validate.Range(min=0.1))
# Seconds without a sign of life after which a page says that no worker is running.
JOB_WORKER_SILENT_SECONDS: float = env.float("JOB_WORKER_SILENT_SECONDS", 15, validate=positive)
# Seconds that running jobs get to end when their worker is told to stop; then they are handed to another.
JOB_GRACE_SECONDS: float = env.float("JOB_GRACE_SECONDS", 8, validate=validate.Range(min=0))
# Days after which a finished job is deleted with all that belongs to it; 0: jobs are kept until somebody deletes them.
JOB_KEEP_DAYS: int = env.int("JOB_KEEP_DAYS", 0, validate=validate.Range(min=0))
# Jobs at once in one worker process: threads for the network role, with one more for what a person waits for; child
# processes for the media role.
NETWORK_CONCURRENCY: int = env.int("NETWORK_CONCURRENCY", 32, validate=positive)
MEDIA_CONCURRENCY: int = env.int("MEDIA_CONCURRENCY", os.cpu_count() or 1, validate=positive)

# --- Accounts and e-mail ---------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_REDIRECT_URL = "offload:list"
LOGIN_URL = "account_login"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"signup": "accounts.forms.SignupForm"}
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""

# Every mail that Django sends becomes a job; the job's worker speaks SMTP with the server of EMAIL_URL.
EMAIL_BACKEND = "jobs.kinds.email.backend.JobEmailBackend"
_email_url: str = env.str("EMAIL_URL", f"smtp://127.0.0.1:{SANDBOX_SMTP_PORT}")
# dj-email-url takes smtps:// for STARTTLS, which is not what the name means elsewhere.
if urlsplit(_email_url).scheme not in {"smtp", "submission"} or not urlsplit(_email_url).hostname:
    raise ImproperlyConfigured(
        "EMAIL_URL must look like smtp://user:password@host:port; submission:// is for STARTTLS, ?ssl=true for TLS."
    )
_email = env.dj_email_url("EMAIL_URL", _email_url)
EMAIL_HOST: str = _email["EMAIL_HOST"]
EMAIL_PORT: int = _email["EMAIL_PORT"] or 25
EMAIL_HOST_USER: str = _email["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD: str = _email["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_SSL: bool = _email["EMAIL_USE_SSL"]
EMAIL_USE_TLS: bool = _email["EMAIL_USE_TLS"]
EMAIL_TIMEOUT: int = env.int("EMAIL_TIMEOUT", 20, validate=positive)
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", "Offload <offload@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Media -----------------------------------------------------------------------------------------------------------

MEDIA_MAX_BYTES: int = env.int("MEDIA_MAX_BYTES", 200 * 1024 * 1024, validate=positive)
# Of one submit: how many files, and how many bytes together.
MEDIA_MAX_FILES: int = env.int("MEDIA_MAX_FILES", 20, validate=validate.Range(min=1, max=100))
MEDIA_MAX_TOTAL_BYTES: int = env.int("MEDIA_MAX_TOTAL_BYTES", 500 * 1024 * 1024, validate=positive)
MEDIA_MAX_PIXELS: int = env.int("MEDIA_MAX_PIXELS", 40_000_000, validate=positive)
MEDIA_MAX_SECONDS: int = env.int("MEDIA_MAX_SECONDS", 600, validate=positive)
# Bytes of memory that one media job may use.
MEDIA_MAX_MEMORY: int = env.int("MEDIA_MAX_MEMORY", 2 * 1024**3, validate=positive)

# --- Logging ---------------------------------------------------------------------------------------------------------

LOG_LEVEL: int = env.log_level("LOG_LEVEL", logging.INFO)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "filters": {
        # Only /healthz answers 503. Whoever asks it every few seconds reads the answer, and needs no line for each.
        "no_health": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", None) != 503,
        },
    },
    "loggers": {
        # The sandbox's mail server (aiosmtpd) logs every line of every session.
        "mail.log": {"level": "WARNING"},
        "django.request": {"filters": ["no_health"]},
        # Anybody can send any Host header: no fault of the site's, and no news for its staff.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
