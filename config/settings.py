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
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import available_timezones

from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate

from jobs.conf import Options, known

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
positive = validate.Range(min=1)

# --- Offload's own options, and whether this is the embedded default -------------------------------------------------

# Whatever a process of ours makes is for its owner only: databases, uploads, sockets, temporary files.
os.umask(0o077)
_var: Path = env.path("VAR_DIR", BASE_DIR / "var").resolve()
try:
    _var.mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"VAR_DIR: the folder {_var} can't be made ({error.strerror}).") from None
_embedded = not any(os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL"))

# jobs/conf.py says what each option means and which values it takes; here stands what this site has in place of its
# default.
OFFLOAD: dict[str, Any] = {
    "BASE_DIR": BASE_DIR,
    "VAR_DIR": _var,
    "EMBEDDED": _embedded,
    "SANDBOX": _embedded,
    "REDIS_URL": f"unix://{quote(str(_var / 'valkey.sock'))}",
}
_VARIABLES: dict[str, tuple[str, Callable[..., Any]]] = {
    "LEASE_SECONDS": ("JOB_LEASE_SECONDS", env.float),
    "SWEEP_SECONDS": ("JOB_SWEEP_SECONDS", env.float),
    "WORKER_SILENT_SECONDS": ("JOB_WORKER_SILENT_SECONDS", env.float),
    "GRACE_SECONDS": ("JOB_GRACE_SECONDS", env.float),
    "EXCHANGE_SECONDS": ("JOB_EXCHANGE_SECONDS", env.float),
    "KEEP_DAYS": ("JOB_KEEP_DAYS", env.int),
    "NETWORK_CONCURRENCY": ("NETWORK_CONCURRENCY", env.int),
    "MEDIA_CONCURRENCY": ("MEDIA_CONCURRENCY", env.int),
    "DATABASE_POOL_SIZE": ("DATABASE_POOL_SIZE", env.int),
    "REDIS_URL": ("REDIS_URL", env.str),
    "MEDIA_MAX_BYTES": ("MEDIA_MAX_BYTES", env.int),
    "MEDIA_MAX_FILES": ("MEDIA_MAX_FILES", env.int),
    "MEDIA_MAX_TOTAL_BYTES": ("MEDIA_MAX_TOTAL_BYTES", env.int),
    "MEDIA_MAX_PIXELS": ("MEDIA_MAX_PIXELS", env.int),
    "MEDIA_MAX_SECONDS": ("MEDIA_MAX_SECONDS", env.int),
    "MEDIA_MAX_MEMORY": ("MEDIA_MAX_MEMORY", env.int),
    "QUOTA_JOBS": ("QUOTA_JOBS", env.int),
    "QUOTA_PACE": ("QUOTA_PACE", env.int),
    "QUOTA_BYTES": ("QUOTA_BYTES", env.int),
    "QUOTA_COMPUTING": ("QUOTA_COMPUTING", env.int),
    "QUOTA_ACCOUNTS": ("QUOTA_ACCOUNTS", env.int),
    "QUOTA_EXPORTS": ("QUOTA_EXPORTS", env.int),
    "HOST": ("HOST", env.str),
    "PORT": ("PORT", env.int),
    "SITE_ADDRESS": ("SITE_ADDRESS", env.str),
    "UNCONFIRMED_DAYS": ("UNCONFIRMED_DAYS", env.int),
    "STAFF_SECOND_FACTOR": ("STAFF_SECOND_FACTOR", env.bool),
    "SANDBOX": ("SANDBOX", env.bool),
    "SANDBOX_URL": ("SANDBOX_URL", env.str),
    "SANDBOX_ORIGINS": ("SANDBOX_ORIGINS", env.list),
    "SANDBOX_SMTP_PORT": ("SANDBOX_SMTP_PORT", env.int),
}
"""The environment variable of each option that has one, and how it is read."""

for _name, (_variable, _read) in _VARIABLES.items():
    if (_value := _read(_variable, None)) is not None:
        try:
            OFFLOAD[_name] = known()[_name].checked(_value)
        except ValueError as error:
            raise ImproperlyConfigured(f"{_variable} {error}") from None
options = Options(lambda: OFFLOAD)

DEBUG: bool = env.bool("DEBUG", False)


def _secret_key() -> str:
    """SECRET_KEY from the environment; in the embedded default one is made once and kept in var/."""
    given = env.str("SECRET_KEY", "")
    if given or not options.EMBEDDED:
        return given
    path = options.VAR_DIR / "secret_key"
    try:
        if not path.exists():
            # Another process may do the same just now: the file appears whole, and the first one stays.
            with NamedTemporaryFile("w", dir=options.VAR_DIR) as file:
                file.write(secrets.token_urlsafe(50))
                file.flush()
                with suppress(FileExistsError):
                    os.link(file.name, path)
        return path.read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"VAR_DIR: {path} can't be kept ({error.strerror}).") from None


SECRET_KEY = _secret_key()
# Keys of before: what was signed or encrypted with one is still read. What is written has the new one.
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", [])
# Salt of the keys that encrypt payloads and credentials; the keys themselves are derived from SECRET_KEY
# (django-fernet-encrypted-fields). Changing it makes what is encrypted unreadable. jobs/apps.py has the default.
if _salt := env.str("SALT_KEY", ""):
    SALT_KEY = _salt

# --- Web -------------------------------------------------------------------------------------------------------------

ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
if options.SITE_ADDRESS:
    ALLOWED_HOSTS.append(urlsplit(options.SITE_ADDRESS).hostname or "")
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
HTTPS: bool = env.bool("HTTPS", False)
BEHIND_PROXY: bool = env.bool("BEHIND_PROXY", False)
# Connections of one client that each web process takes; behind a proxy, whose connections they all are, its requests.
CONNECTIONS_PER_ADDRESS: int = env.int("CONNECTIONS_PER_ADDRESS", 256, validate=positive)
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
# Browsers take a cookie of such a name only over HTTPS and from this very host: no neighbour can plant one.
# https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis-22#section-4.1.3.2
_prefix = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_prefix}sessionid", f"{_prefix}csrftoken"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "jobs.web.views.csrf_failure"

_BUNDLED = ("email", "media", "social", "arithmetic", "lab", "personal")
"""The kinds in jobs/kinds/, in the order in which pages name them."""


def _kinds() -> list[str]:
    """The apps of the kinds that this site has. Raises ImproperlyConfigured."""
    usual = [name for name in _BUNDLED if name != "lab" or options.SANDBOX]
    chosen = {name.strip() for name in env.list("KINDS", usual)}
    if unknown := sorted(chosen - set(_BUNDLED)):
        raise ImproperlyConfigured(f"KINDS: there is no kind {unknown[0]!r}; there are {', '.join(_BUNDLED)}.")
    if "email" not in chosen:
        raise ImproperlyConfigured("KINDS must name email: the mails of sign-up and sign-in are its jobs.")
    if "social" in chosen and "media" not in chosen:
        raise ImproperlyConfigured("KINDS must name media as well: social has its pictures made there.")
    return [f"jobs.kinds.{name}" for name in _BUNDLED if name in chosen]


def _extra_apps() -> list[str]:
    """Further apps that bring kinds of their own. Raises ImproperlyConfigured for one that does not exist."""
    named: list[str] = [name.strip() for name in env.list("EXTRA_APPS", default=[], subcast=str)]
    for name in named:
        # A name may also be that of an AppConfig in a module.
        # https://docs.djangoproject.com/en/5.2/ref/applications/#configuring-applications
        module, _, last = name.rpartition(".")
        try:
            found = find_spec(module if module and last[:1].isupper() else name)
        except (ImportError, ValueError):
            found = None
        if found is None:
            raise ImproperlyConfigured(f"EXTRA_APPS: there is no app {name!r}.")
    return named


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
    "allauth.mfa",
    # Lists people's sessions, so that they can end them.
    "allauth.usersessions",
    "csp",
    # jobs stands before django_rq so that its rqworker command is the one that runs.
    "jobs",
    *_kinds(),
    "django_rq",
    *(["jobs.sandbox"] if options.SANDBOX else []),
    *_extra_apps(),
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

MIDDLEWARE = [
    "jobs.web.site_address.middleware",
    "django.middleware.security.SecurityMiddleware",
    "jobs.web.polling.middleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "jobs.web.no_store.middleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "jobs.web.body_limit.middleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "jobs.web.time_zone.middleware",
]

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
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
STATIC_ROOT = options.VAR_DIR / "static"
STORAGES = {
    # Private files: no URL leads here; a view hands them to their owner.
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(options.VAR_DIR / "media")},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# The umask decides. Django would open each stored file to everybody (0o644).
FILE_UPLOAD_PERMISSIONS = None

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


DATABASES = {"default": _database("DATABASE_URL", options.VAR_DIR / "offload.sqlite3")}
DATABASES["default"]["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", 60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if options.SANDBOX:
    # The stand-ins for the outside world keep their own data, as the outside world would.
    DATABASES["sandbox"] = _database("SANDBOX_DATABASE_URL", options.VAR_DIR / "sandbox.sqlite3")
    DATABASE_ROUTERS = ["jobs.sandbox.router.SandboxRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Rate limits of sign-in and mail resend live in the cache. In the database they work for every web process, and
# while Redis is away. Django keeps 300 entries if nothing else is said: a crowd of addresses would push the others out.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# --- Queue -----------------------------------------------------------------------------------------------------------

# The queues of jobs.kind.Queue, for django-rq's commands; jobs.core.dispatch and jobs.worker.loop open connections of
# their own. Without a serializer RQ unpickles what lies in Redis: whoever can write there could run code here.
_redis_url = f"{options.REDIS_URL}{'&' if '?' in options.REDIS_URL else '?'}socket_connect_timeout=1&socket_timeout=2"
RQ_QUEUES = {
    name: {"URL": _redis_url, "DB": None, "SERIALIZER": "rq.serializers.JSONSerializer"}
    for name in ("urgent", "network", "media")
}
RQ = {"COMMIT_MODE": "auto"}
# Some of django-rq's pages load messages without the serializer of their queue, so the admin has none of them.
RQ_SHOW_ADMIN_LINK = False

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
# Only the session that signed up; accounts.views.ConfirmEmailView says what becomes of others.
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
# Seconds for which that session waits for the mail.
ACCOUNT_LOGIN_TIMEOUT = 3600
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"signup": "accounts.forms.SignupForm", "reset_password": "accounts.forms.ResetPasswordForm"}
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Adding, choosing and removing addresses asks for the password once more, unless that was within five minutes. The
# forms that change the password and delete the account ask for it themselves.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
# A mail about each such change.
ACCOUNT_EMAIL_NOTIFICATIONS = True
# Over allauth's own: amount/time/of what. `key` is the address, with `login_failed` the address and the source
# together, or the account whose second factor is guessed; `ip` is the source (of IPv6 its /64 network).
ACCOUNT_RATE_LIMITS = {
    "confirm_email": "1/3m/key,3/h/key,10/d/key",
    "signup": "20/m/ip,100/h/ip,300/d/ip",
    "reset_password": "20/m/ip,100/h/ip,300/d/ip",
    "reset_password_mail": "3/h/key,10/d/key",
    "login_failed": "5/5m/key,20/d/key",
    "login_failed_from_source": "10/m/ip,100/h/ip",
    "login_failed_anywhere": "200/h/key",
    "change_password": "5/m/user,20/d/user",
}

MFA_ADAPTER = "accounts.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "add_webauthn": "accounts.forms.AddPasskeyForm",
    "authenticate_webauthn": "accounts.forms.AuthenticatePasskeyForm",
    "edit_webauthn": "accounts.forms.EditPasskeyForm",
    "login_webauthn": "accounts.forms.LoginPasskeyForm",
    "reauthenticate_webauthn": "accounts.forms.ReauthenticatePasskeyForm",
}
# Such a sign-in asks the passkey itself for a PIN or a fingerprint, so it is two factors in one.
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
# Nobody gets a second factor before a first address is confirmed: nobody can sign in until then. So an address that is
# added later may wait for its mail.
MFA_ALLOW_UNVERIFIED_EMAIL = True
# No tolerance for clocks that are wrong: allauth remembers a used code for one period, after which a tolerated one
# would count again.
MFA_TOTP_TOLERANCE = 0
MFA_RATE_LIMITS = {"webauthn_login": "30/m/ip"}

# Every mail that Django sends becomes a job; the job's worker speaks SMTP with the server of EMAIL_URL.
EMAIL_BACKEND = "jobs.kinds.email.backend.JobEmailBackend"
_email_url: str = env.str("EMAIL_URL", f"smtp://127.0.0.1:{options.SANDBOX_SMTP_PORT}")
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

# --- Logging ---------------------------------------------------------------------------------------------------------

LOG_LEVEL: int = env.log_level("LOG_LEVEL", logging.INFO)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
            "datefmt": "%Y-%m-%d %H:%M:%S%z",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["without_keys"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "filters": {
        "without_keys": {"()": "accounts.logs.WithoutKeys"},
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
