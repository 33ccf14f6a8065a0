"""How much an owner may have and use: asked before anything is stored for a request, and shown to its owner.

The core counts what it has rows of; kinds declare more (`Kind.quotas`). How much is allowed an option says, or an
exception that staff made. Jobs without an owner have no quota: what visitors may ask for is limited elsewhere, and what
the site does of itself is nobody's.

Requests that are answered at the same moment may each find room for what only one of them has room for: as many as the
site answers at once. No lock is held while files are stored.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Case, DateTimeField, Expression, ExpressionWrapper, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Now
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from ..conf import options
from ..kind import Kind, OwnerKey, Quota, Role, Use, installed_kinds
from ..models import FIELDS, Job, Meter, QuotaException
from ..wording import span_in_words
from .short_cache import for_a_moment
from .statements import Given, Number, Numbers, Select

_OWNER = Given("owner", FIELDS["owner_id"])
MINUTE = timedelta(minutes=1)


def _recent(owner: Expression) -> "QuerySet[Any]":
    return Job.objects.filter(owner=owner, created_at__gt=Now() - Value(MINUTE))


def _stored(owner_id: OwnerKey) -> int:
    """Of jobs that are there, and what kinds still keep beside them."""
    total = Job.objects.filter(owner=owner_id, stored_bytes__gt=0).aggregate(total=Sum("stored_bytes"))["total"] or 0
    return int(total) + sum(kind.stored_beside(owner_id) for kind in installed_kinds())


def _seconds(amount: float) -> str:
    """A span of time, in whole minutes where it is long."""
    unit = 1 if amount < 120 else 60
    return span_in_words(timedelta(seconds=math.ceil(amount / unit) * unit))


JOBS = Quota(
    name="jobs",
    label=_("Jobs that wait or run"),
    option="QUOTA_JOBS",
    rows=lambda owner: Job.objects.unfinished().filter(owner=owner),
    refusal=_(
        "There is no room: of at most %(most)s jobs, %(used)s wait or run already. "
        "Try it again when some are done, or cancel some."
    ),
)
PACE = Quota(
    name="pace",
    label=_("Jobs submitted within a minute"),
    option="QUOTA_PACE",
    rows=_recent,
    # What was submitted and is deleted by now, and what was tried again.
    period=MINUTE,
    refusal=_("At most %(most)s jobs may be submitted within a minute. Try it again in %(wait)s."),
)
BYTES = Quota(
    name="bytes",
    label=_("Stored files"),
    option="QUOTA_BYTES",
    amount=_stored,
    in_words=filesizeformat,
    refusal=_(
        "There is no room for %(asked)s more: of the %(most)s that you may store, %(used)s are taken. "
        "Delete jobs whose files you need no more."
    ),
)
COMPUTING = Quota(
    name="computing",
    label=_("Time of work on your files within a day"),
    option="QUOTA_COMPUTING",
    period=timedelta(days=1),
    in_words=_seconds,
    refusal=_("Your files may be worked on for %(most)s within a day, and were. Try it again in %(wait)s."),
)


class QuotaExceeded(Exception):
    """An owner wants more than there is room for. Its text is a sentence for them.

    most: what they may have. field: that of the form which asks for it, "" for the form as a whole. wait: seconds after
    which there is room again; None where waiting alone does not help.
    """

    def __init__(self, text: str, most: int, field: str, wait: int | None) -> None:
        super().__init__(text)
        self.most = most
        self.field = field
        self.wait = wait


def all_quotas() -> list[Quota]:
    """Those of the core, and those of the installed kinds."""
    return [JOBS, PACE, BYTES, COMPUTING, *(quota for kind in installed_kinds() for quota in kind.quotas)]


def for_jobs(kind: Kind, count: int = 1) -> list[Use]:
    """What a submit of so many jobs takes of the core's quotas, whatever it stores."""
    uses = [Use(PACE, count), Use(JOBS, count)]
    return [*uses, Use(COMPUTING)] if kind.role is Role.MEDIA else uses


def check(owner_id: OwnerKey | None, uses: Iterable[Use]) -> None:
    """Make sure that an owner has room for all of it. Stores nothing. Raises QuotaExceeded.

    owner_id: None for nobody, who has no quota.
    """
    if owner_id is None:
        return
    wanted = list(uses)
    allowed = limits_of(owner_id, [use.quota for use in wanted])
    limited = {use.quota: most for use in wanted if (most := allowed[use.quota.name])}
    used = dict(zip(limited, _used(owner_id, limited), strict=True))
    for use in wanted:
        if use.quota in limited:
            used[use.quota] += use.amount
            if used[use.quota] > limited[use.quota]:
                raise _exceeded(owner_id, use, limited[use.quota])


def _exceeded(owner_id: OwnerKey, use: Use, most: int) -> QuotaExceeded:
    quota = use.quota
    (used,) = _used(owner_id, {quota: None})
    wait = _wait(owner_id, quota, used + use.amount - most) if use.amount <= most else None
    amounts = {"most": most, "used": used, "asked": use.amount}
    words = {name: quota.in_words(amount) for name, amount in amounts.items()}
    return QuotaExceeded(str(quota.refusal % {**words, "wait": _seconds(wait or 0)}), most, use.field, wait)


def limits_of(owner_id: OwnerKey, quotas: Iterable[Quota]) -> dict[str, int]:
    """How much an owner may have of each, by name; 0 for no limit.

    An exception for the person counts before those for their groups, of which the most generous does.
    """
    granted = _granted(owner_id) if _are_exceptions() else {}
    return {quota.name: granted.get(quota.name, getattr(options, quota.option)) for quota in quotas}


@for_a_moment
def _are_exceptions() -> bool:
    return QuotaException.objects.exists()


_EXCEPTIONS = Select(
    QuotaException,
    {"id", "quota", "user_id", "most"},
    lambda: QuotaException.objects.filter(Q(user=_OWNER) | Q(group__in=_groups())).order_by(),
)


def _granted(owner_id: OwnerKey) -> dict[str, int]:
    found: dict[str, tuple[bool, float]] = {}
    for one in _EXCEPTIONS.rows(owner=owner_id):
        rank = one.user_id is not None, one.most or math.inf
        found[one.quota] = max(found.get(one.quota, rank), rank)
    return {name: 0 if most == math.inf else int(most) for name, (_mine, most) in found.items()}


def _groups() -> "QuerySet[Any]":
    """The keys of the owner's groups; a user model may know none."""
    groups: Any = getattr(get_user_model(), "groups", None)
    if groups is None:
        return Group.objects.none()
    theirs = groups.through._default_manager.filter(**{groups.field.m2m_field_name(): _OWNER})
    return theirs.values(groups.field.m2m_reverse_field_name())  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Standing:
    """How much an owner has of a quota, for people. most: 0 for no limit."""

    quota: Quota
    used: float
    most: int

    def __str__(self) -> str:
        words = self.quota.in_words
        if not self.most:
            return words(self.used)
        return _("%(used)s of %(most)s") % {"used": words(self.used), "most": words(self.most)}


def standings(owner_id: OwnerKey) -> list[Standing]:
    """How an owner stands with all quotas."""
    quotas = all_quotas()
    allowed = limits_of(owner_id, quotas)
    used = _used(owner_id, dict.fromkeys(quotas))
    return [Standing(quota, amount, allowed[quota.name]) for quota, amount in zip(quotas, used, strict=True)]


def _used(owner_id: OwnerKey, quotas: Mapping[Quota, int | None]) -> list[float]:
    """How much an owner has of each. quotas: with the number beyond which rows need not be counted, if there is one."""
    counted = tuple(quota for quota in quotas if quota.rows or quota.period)
    enough = [None if (most := quotas[quota]) is None else most + 1 for quota in counted]
    found = dict(zip(counted, _counting(counted).tell(enough, owner=owner_id), strict=True)) if counted else {}
    return [found.get(quota, 0) + (quota.amount(owner_id) if quota.amount else 0) for quota in quotas]


@cache
def _counting(quotas: tuple[Quota, ...]) -> Numbers:
    """The statement that counts for all of them at once."""
    return Numbers(
        lambda: [
            Number(
                quota.rows(_OWNER) if quota.rows else None,
                _metered(quota).filter(until__gt=Now()).values("amount") if quota.period else None,
            )
            for quota in quotas
        ]
    )


def _wait(owner_id: OwnerKey, quota: Quota, missing: float) -> int | None:
    """Seconds until so much of what an owner has of a quota counts no more; None where time does not help."""
    if not quota.period:
        return None
    if quota.rows:
        oldest = quota.rows(Value(owner_id, FIELDS["owner_id"])).order_by("created_at").annotate(now=Now())
        for row in oldest[math.ceil(missing) - 1 :][:1]:
            return _seconds_until(row.created_at + quota.period, row.now)
    running = Meter.objects.filter(owner=owner_id, quota=quota.name).annotate(now=Now()).first()
    return _seconds_until(running.until, running.now) if running else 1


def _seconds_until(moment: datetime, now: datetime) -> int:
    return max(1, math.ceil((moment - now).total_seconds()))


# --- What is noted as it happens -------------------------------------------------------------------------------------


def meter(owner_id: OwnerKey, quota: Quota, amount: float) -> None:
    """Add to what an owner has used of a quota with a period. Its row is locked until the transaction ends."""
    goes_on, period = Q(until__gt=Now()), Value(quota.period)
    mine = Meter.objects.filter(owner=owner_id, quota=quota.name)
    while not mine.update(
        amount=Case(When(goes_on, then=F("amount") + float(amount)), default=float(amount)),
        until=Case(When(goes_on, then=F("until")), default=ExpressionWrapper(Now() + period, DateTimeField())),
    ):
        first = Meter(owner_id=owner_id, quota=quota.name, amount=0, until=Now())
        Meter.objects.bulk_create([first], ignore_conflicts=True)


def _metered(quota: Quota) -> "QuerySet[Meter]":
    return Meter.objects.filter(owner=_OWNER, quota=quota.name)
