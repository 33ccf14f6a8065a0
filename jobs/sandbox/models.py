"""The rows of the practice network: accounts and posts, OAuth, webhook deliveries, its behaviour and its log.

They live in the database "sandbox" (`jobs.sandbox.router`). Tokens and secrets are stored in plain text: they open
nothing but this stand-in.
"""

import secrets
from datetime import timedelta
from uuid import uuid4

from django.core.files.storage import FileSystemStorage, Storage
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from ..conf import options
from .router import ALIAS

CODE_LIFETIME = timedelta(minutes=10)
PICTURE_PROCESSING = timedelta(milliseconds=300)
"""How long an uploaded picture counts as being processed, so that clients meet the 202 of real servers."""


def new_secret() -> str:
    """A random token of 43 characters."""
    return secrets.token_urlsafe(32)


def covers(granted: str, wanted: str) -> bool:
    """Whether scopes include all those wanted (both separated by spaces), by name or through the broader `write`.

    https://docs.joinmastodon.org/api/oauth-scopes/
    """
    have = set(granted.split())
    return all({scope, scope.partition(":")[0]} & have for scope in wanted.split())


def picture_storage() -> Storage:
    """Where uploaded pictures are stored."""
    return FileSystemStorage(location=options.VAR_DIR / "network")


class Account(models.Model):
    """A practice person. Whoever approves an app under this name is this person; there are no passwords."""

    name = models.CharField(
        max_length=30,
        unique=True,
        validators=[RegexValidator(r"\A[a-z0-9_]+\Z", "Use lower-case letters, digits and underscores.")],
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"@{self.name}"

    @property
    def url(self) -> str:
        """The account's page on the practice network."""
        return f"{options.SANDBOX_URL}/@{self.name}"

    @property
    def avatar(self) -> str:
        """Address of the account's picture."""
        return f"{options.SANDBOX_URL}/avatars/{self.name}.png"


class App(models.Model):
    """A registered OAuth client. redirect_uris: one a line."""

    client_id = models.CharField(max_length=43, unique=True, default=new_secret)
    client_secret = models.CharField(max_length=43, default=new_secret)
    name = models.CharField(max_length=200)
    website = models.CharField(max_length=2000, blank=True, default="")
    redirect_uris = models.TextField()
    scopes = models.CharField(max_length=500, default="read")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Code(models.Model):
    """An authorization code: good once, for ten minutes, for the app and address it was issued to.

    challenge: PKCE's S256 code challenge, "" where the client sent none (RFC 7636).
    """

    value = models.CharField(max_length=43, unique=True, default=new_secret)
    app = models.ForeignKey(App, models.CASCADE)
    account = models.ForeignKey(Account, models.CASCADE)
    redirect_uri = models.TextField()
    scopes = models.CharField(max_length=500)
    challenge = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"code {self.pk}"

    def use(self) -> bool:
        """Spend the code. False: it was spent before, or is too old."""
        fresh = Code.objects.filter(pk=self.pk, used_at=None, created_at__gt=timezone.now() - CODE_LIFETIME)
        return fresh.update(used_at=timezone.now()) == 1


class Token(models.Model):
    """An access token: what one app may do for one account."""

    value = models.CharField(max_length=43, unique=True, default=new_secret)
    app = models.ForeignKey(App, models.CASCADE)
    account = models.ForeignKey(Account, models.CASCADE)
    scopes = models.CharField(max_length=500)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"token {self.pk}"


class Status(models.Model):
    """A post. The database keeps one for each Idempotency-Key of a token."""

    class Visibility(models.TextChoices):
        """Who may see a post; the practice network shows all of them and says which is which."""

        PUBLIC = "public"
        UNLISTED = "unlisted"
        PRIVATE = "private"
        DIRECT = "direct"

    account = models.ForeignKey(Account, models.CASCADE, related_name="statuses")
    token = models.ForeignKey(Token, models.CASCADE)
    idempotency_key = models.CharField(max_length=255, blank=True, default="")
    text = models.TextField(blank=True, default="")
    spoiler_text = models.TextField(blank=True, default="")
    language = models.CharField(max_length=20, blank=True, default="")
    visibility = models.CharField(max_length=10, choices=Visibility.choices, default=Visibility.PUBLIC)
    sensitive = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "statuses"
        constraints = [
            models.UniqueConstraint(
                fields=["token", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="status_key_once_for_each_token",
            ),
        ]

    def __str__(self) -> str:
        return f"status {self.pk}"

    @property
    def url(self) -> str:
        """The post's page on the practice network."""
        return f"{self.account.url}/{self.pk}"


class MediaAttachment(models.Model):
    """An uploaded picture; attached to a status once one names it, at `position` (from 0)."""

    key = models.UUIDField(unique=True, default=uuid4, editable=False)
    account = models.ForeignKey(Account, models.CASCADE)
    file = models.FileField(storage=picture_storage)
    content_type = models.CharField(max_length=50)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    description = models.TextField(blank=True, default="")
    status = models.ForeignKey(Status, models.CASCADE, null=True, blank=True, related_name="pictures")
    position = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"picture {self.pk}"

    @property
    def url(self) -> str:
        """Address of the picture itself."""
        return f"{options.SANDBOX_URL}/media/{self.key}"

    @property
    def is_processed(self) -> bool:
        """Whether it can be attached to a post by now."""
        return timezone.now() >= self.created_at + PICTURE_PROCESSING


class Delivery(models.Model):
    """One request to a webhook inbox. repeated: an earlier verified one had the same webhook-id."""

    inbox = models.CharField(max_length=50)
    webhook_id = models.CharField(max_length=255, blank=True, default="")
    verified = models.BooleanField()
    repeated = models.BooleanField()
    body = models.TextField(blank=True, default="")
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "deliveries"
        indexes = [models.Index(fields=["inbox", "webhook_id"], name="delivery_seen")]

    def __str__(self) -> str:
        return f"delivery {self.pk}"


class Behaviour(models.Model):
    """How the practice network treats requests that write (posts, pictures, webhooks): one row, read for each of them.

    delay_ms: milliseconds before it acts. remaining: for how many more such requests the mode holds, 0 = until changed.
    """

    class Mode(models.TextChoices):
        """What goes wrong."""

        NORMAL = "normal", "Normal"
        SLOW = "slow", "Slow (every answer takes ten seconds)"
        RATE_LIMITED = "429", "Too many requests (429 with Retry-After)"
        RATE_LIMITED_BARE = "429_bare", "Too many requests (429 without Retry-After)"
        ERROR = "500", "Internal error (500, nothing is done)"
        DROP = "drop", "Reply lost (the work is done, no answer comes)"
        RESET = "reset", "Connection closed (nothing is done, no answer comes)"

    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.NORMAL)
    delay_ms = models.PositiveIntegerField(
        "delay in milliseconds", default=600, validators=[MaxValueValidator(60_000)], help_text="At most 60000."
    )
    remaining = models.PositiveIntegerField(
        "for how many requests",
        default=0,
        validators=[MaxValueValidator(1_000_000)],
        help_text="The mode goes back to normal after so many requests. 0: it stays until it is changed here.",
    )

    def __str__(self) -> str:
        return self.mode

    @property
    def seconds(self) -> float:
        """How long a request is held back."""
        return 10 if self.mode == self.Mode.SLOW else self.delay_ms / 1000

    @classmethod
    def current(cls) -> "Behaviour":
        """The row as it is."""
        return cls.objects.get_or_create(pk=1)[0]

    @classmethod
    def take(cls) -> "Behaviour":
        """The behaviour towards one request, counted as used."""
        with transaction.atomic(using=ALIAS):
            taken = cls.objects.select_for_update().get_or_create(pk=1)[0]
            if taken.mode != cls.Mode.NORMAL and taken.remaining:
                mode = cls.Mode.NORMAL if taken.remaining == 1 else taken.mode
                cls.objects.filter(pk=1).update(remaining=F("remaining") - 1, mode=mode)
        return taken


class Call(models.Model):
    """The log: one row for each API or webhook request, written before its answer leaves; never changed.

    key: its Idempotency-Key or webhook-id. effect: whether it made something new. status: what was answered, None when
    the connection was closed without an answer.
    """

    at = models.DateTimeField(auto_now_add=True)
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=300)
    key = models.CharField(max_length=255, blank=True, default="")
    token = models.ForeignKey(Token, models.SET_NULL, null=True, blank=True, related_name="calls")
    effect = models.BooleanField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["token", "at"], name="call_rate")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
