"""What a kind of job is, what its code is handed, and the registry of the kinds that are installed.

The core knows kinds only through this module. A kind's own code imports from `jobs.contract`, which shows it this
module and the few verbs of the core that it may call.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import uniform
from typing import Any, BinaryIO, ClassVar, Protocol
from uuid import UUID

from django import forms
from django.apps import apps
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Expression, QuerySet
from django.utils.formats import number_format

from .sentences import Sentence, Text

Owner = AbstractBaseUser | AnonymousUser
OwnerKey = Any
"""The primary key of a user. Which type it has is the site's choice (AUTH_USER_MODEL): a number, a UUID, a text."""


class Queue(StrEnum):
    """Where jobs stand in line. The value is the name of the RQ queue."""

    URGENT = "urgent"
    """What a person waits for in front of a page (`Submission.urgent`), of the kinds that wait for others."""
    NETWORK = "network"
    """All other jobs of those kinds."""
    MEDIA = "media"
    """The jobs of kinds that compute."""


class Role(StrEnum):
    """Which workers run a kind."""

    NETWORK = "network"
    """Kinds that wait for others: many threads in one process."""
    MEDIA = "media"
    """Kinds that compute: one child process for each job, which can be killed."""

    @property
    def queues(self) -> tuple[Queue, ...]:
        """The queues that such a worker serves, the first one first."""
        return (Queue.URGENT, Queue.NETWORK) if self is Role.NETWORK else (Queue.MEDIA,)

    @property
    def queue(self) -> Queue:
        """The queue of its jobs that nobody waits for in front of a page."""
        return self.queues[-1]


ROLE_OF: dict[str, Role] = {queue: role for role in Role for queue in role.queues}
"""Which workers serve a queue."""


class WaitReason(StrEnum):
    """Why a pending job does not run yet. The value is the word in JSON; docs/http.md lists them."""

    SCHEDULED = "scheduled"
    """Its start was chosen by somebody."""
    RETRY = "retry"
    """An attempt failed for a reason that may pass; the next one has a moment."""
    AFTER = "after"
    """Another job has to succeed first."""
    TURN = "turn"
    """Earlier jobs on the same resource are not done."""
    ON_HOLD = "on_hold"
    """A person has to act before any job on the resource can run."""
    HELD = "held"
    """An earlier job on the same resource failed and holds the line."""
    PAUSED = "paused"
    """Staff have paused its queue."""
    NO_WORKER = "no_worker"
    """No living worker serves its queue."""
    NO_REDIS = "no_redis"
    """Redis does not answer."""
    QUEUE = "queue"
    """Others come first, or a worker is about to take it."""


class JobError(Exception):
    """A try at a job did not work out, and the reason is known.

    code: a stable word for programs (`mailbox_unknown`). say: which of the kind's `sentences` its owner reads, "" for
    the one with that code: it says what happened and, where there is something, what to do next. values: for the
    sentence's placeholders, see Sentence; they never hold a secret.
    """

    def __init__(self, code: str, /, *, say: str = "", **values: Any) -> None:
        super().__init__(code, values)
        self.code = code
        self.sentence = Sentence(say or code, **values)


class Failed(JobError):
    """The job can't succeed by being run again as it is.

    can_retry: whether its owner may ask for another try (after changing something outside the job, say).
    """

    def __init__(self, code: str, /, *, say: str = "", can_retry: bool = True, **values: Any) -> None:
        super().__init__(code, say=say, **values)
        self.can_retry = can_retry


class TryAgain(JobError):
    """The try failed for a reason that may pass (a server is away, a rate limit).

    not_before: the earliest moment at which another try makes sense, when the other side named one (`Retry-After`).
    """

    def __init__(self, code: str, /, *, say: str = "", not_before: datetime | None = None, **values: Any) -> None:
        super().__init__(code, say=say, **values)
        self.not_before = not_before


class OnHold(JobError):
    """The object that the job changes can't be worked on until a person acts: an account was revoked, say.

    Only for jobs with a resource. The job waits, and with it all jobs on the object, however long that takes; the
    sentence is what their pages say. `jobs.contract.resume` lets them go on. The attempt does not count.
    """


class ClaimLost(BaseException):
    """The attempt was given up (its lease or its time ran out) and may write nothing more.

    Derived from BaseException so that a kind's `except Exception` does not swallow it.
    """


class Stopped(BaseException):
    """The job's owner asked to cancel it, and this is a safe point: raised by `Run.progress` and `Run.keep`.

    Clean up and let it pass: the job ends as cancelled. Derived from BaseException, as ClaimLost is.
    """


def with_separators(amount: float) -> str:
    """A whole number as pages write it: "1,000"."""
    return number_format(int(amount), force_grouping=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class Quota:
    """Something of which each owner may have so much.

    name: one word, by which exceptions name it; never change it. label: what lists call it ("Connected accounts").
    option: the option that says how much; 0: no limit. refusal: what an owner reads who wants more, with placeholders
    for `most`, `used`, `asked` and (with a period) `wait`, all in words. in_words: writes an amount.
    How much an owner has is the sum of: rows, counted (those of the owner for which the expression stands that it is
    handed); amount; and, with a period, what `jobs.core.quotas.meter` has noted within it.
    """

    name: str
    label: Text
    option: str
    refusal: Text
    rows: "Callable[[Expression], QuerySet[Any]] | None" = None
    amount: Callable[[OwnerKey], int] | None = None
    period: timedelta | None = None
    in_words: Callable[[float], str] = with_separators


@dataclass(frozen=True)
class Use:
    """What a request would take of a quota. field: that of the form which asks for it, "" for the form as a whole."""

    quota: Quota
    amount: int = 1
    field: str = ""


@dataclass(frozen=True)
class Submission:
    """One job as a form asks for it.

    payload: JSON data that `Kind.run` will read; encrypted at rest, shown to nobody.
    title: what the owner reads in lists and headings; no secrets.
    resource: the name of the shared object that the job changes (`account:17`), or "" for none.
    kind: whose job it is, if it is not the kind that was submitted.
    after: place in the list of an earlier submission, whose job has to succeed first. If it does not, this one is
        cancelled.
    urgent: a person waits for it in front of a page (for a mail with a link, say), so it does not stand behind what
        nobody waits for: it has a queue of its own. Only for kinds of Role.NETWORK.
    stored_bytes: how much the form has stored for it; see `Run.stored`.
    """

    payload: dict[str, Any]
    title: str
    resource: str = ""
    kind: "Kind | None" = None
    after: int | None = None
    urgent: bool = False
    stored_bytes: int = 0


class KindForm(forms.Form):
    """Base of the form through which a person (or a program, with JSON) asks for jobs of one kind.

    owner: who asks; forms use it to offer and check only what belongs to them.
    """

    def __init__(self, *args: Any, owner: Owner, **kwargs: Any) -> None:
        self.owner = owner
        super().__init__(*args, **kwargs)

    def count(self) -> int:
        """How many jobs a valid form asks for. Told before `submissions`, since what is too much is not stored."""
        return 1

    def uses(self) -> Iterable[Use]:
        """What a valid form takes of quotas beside the jobs themselves: what it will store, say."""
        return ()

    def submissions(self) -> list[Submission]:
        """The jobs that a valid form asks for, one or more. Files are stored here, before the rows exist."""
        raise NotImplementedError

    def discard(self) -> None:
        """Remove what `submissions` stored: the jobs were not accepted after all (or were accepted earlier already)."""


class Run(Protocol):
    """One attempt, as the code of a kind sees it. Once it is given up every write raises ClaimLost."""

    job_id: UUID
    """Identifies the job; the same over all attempts, so it is the source of every idempotency key."""
    owner_id: OwnerKey
    """Primary key of the owner, None for a visitor's job."""
    attempt: int
    """Number of this attempt, from 1. It is the fencing token of everything written during the attempt."""
    payload: dict[str, Any]
    """What the form asked for."""

    @property
    def kept(self) -> Mapping[str, Any]:
        """What this and earlier attempts kept (see `keep`)."""

    def keep(self, **values: Any) -> None:
        """Store JSON values on the job at once, over all attempts. Raises Unstorable if they are too large or too deep.

        Call it before an outside effect (`run.keep(sending=True)`) and after it (`run.keep(status_id=…)`), so that the
        next attempt knows what may have happened already. The first time it is a safe point: it raises Stopped, and
        keeps nothing, if the owner asked to cancel the job. What it keeps says that an effect may be under way, so from
        then on (while a kept value is true) the job can't be stopped.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """A database transaction for rows of the kind's own, during which this attempt can't be given up.

        Its writes are the attempt's effect or nothing: raises ClaimLost at its start if the attempt was given up. Keep
        it short, make no call outside in it, and submit no jobs.
        """

    def stored(self, size: int) -> None:
        """Tell how many bytes are stored for the job from now on, over all attempts: they count for its owner."""

    def progress(self, percent: float, say: str = "", /, **values: Any) -> None:
        """Tell how far the work is: 0 to 100, and what is being done, as one of the kind's `sentences` with its values.

        Written twice a second at most.

        A safe point: raises Stopped if the owner asked to cancel the job, unless something is kept (see `keep`).
        """


class Kind:
    """A sort of job: how it is asked for, where and how often it runs, and what it does.

    Subclass it, fill the attributes, write `run`, and hand an instance to `register` in the app's `ready`.
    """

    name: ClassVar[str]
    """One word, part of its URLs; usually the app's label. Never change it: rows carry it."""
    label: ClassVar[Text]
    """What people call it: "E-mail", "Media file"."""
    invitation: ClassVar[Text] = ""
    """One sentence on the start page and above the form."""
    role: ClassVar[Role] = Role.NETWORK
    form: ClassVar[type[KindForm] | None] = None
    """None: nobody submits this kind by hand, only the project's own code does."""
    max_attempts: ClassVar[int] = 5
    time_limit: ClassVar[timedelta] = timedelta(minutes=2)
    """How long one attempt may run."""
    backoff: ClassVar[timedelta] = timedelta(seconds=5)
    """The first pause between two attempts; it doubles from attempt to attempt."""
    backoff_max: ClassVar[timedelta] = timedelta(minutes=15)
    holds_line: ClassVar[bool] = False
    """What happens on a resource behind a job that failed for good. False: the next one runs. True: what follows builds
    on it, so the line waits until the failed job is tried again (it keeps its place), skipped or cancelled."""
    ends_before_erasure: ClassVar[bool] = False
    """What becomes of its unfinished jobs when their owner's account is deleted. False: they are cancelled. True: they
    come to their end first, since they tell somebody something."""
    urls: ClassVar[str | None] = None
    """Dotted path of a URLconf of the kind's own pages, served below /<name>/."""
    nav: ClassVar[tuple[tuple[Text, str], ...]] = ()
    """Links to the kind's own pages in the site's navigation: (label, URL name)."""
    on_hold_link: ClassVar[tuple[Text, str] | None] = None
    """Where the owner does what jobs on hold (see OnHold) wait for: (label, URL name)."""
    failed_link: ClassVar[tuple[Text, str] | None] = None
    """Where the owner of a failed job asks for it anew: (label, URL name); the address is made with the job's id."""
    summary_template: ClassVar[str] = "offload/_result.html"
    """Partial that shows a succeeded job's `result` inside its card."""
    sentences: Mapping[str, Text] = {}
    """All that its jobs say to people (errors, holds, progress), by code, with placeholders (`%(name)s`) for values."""
    stylesheet: ClassVar[str] = ""
    """Static path of what its card and pages need beside the core's style: "shout/shout.css". Every page links it."""
    quotas: ClassVar[tuple[Quota, ...]] = ()
    """What owners may have only so much of, beside what the core counts (`jobs.core.quotas`)."""

    def run(self, run: Run) -> dict[str, Any]:
        """Do the work. Returns the result as JSON data; raises Failed, TryAgain or OnHold. All else raised is a bug.

        What is kept of the result, and of all that is said, is told in `jobs.storable`.
        """
        raise NotImplementedError

    def pause(self, attempt: int) -> timedelta:
        """How long to wait after failed attempt `attempt` (from 1): exponential backoff with full jitter.

        https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
        """
        ceiling = min(self.backoff * 2 ** min(attempt - 1, 30), self.backoff_max)
        return timedelta(seconds=uniform(0, ceiling.total_seconds()))  # noqa: S311 (jitter is no secret)

    def forget(self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None) -> None:
        """Delete all files and rows that this kind keeps for a job, whose own row is gone already.

        Called by a worker once no attempt can run any more, and again if that worker died or this raised something:
        what is gone already is no error. Foreign keys to the job are empty or gone with it, so look by what these say.
        payload: {} if it can't be decrypted any more. result: None if it never succeeded.
        """

    def files(
        self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None
    ) -> Iterable[tuple[str, Callable[[], BinaryIO]]]:
        """The job's files for its owner's export: a name (unique in the job, no folders) and how to open each.

        An opener that raises FileNotFoundError is passed over. What the owner asked for may be told here too, as a
        small JSON file; no secrets.
        """
        return ()

    def belongings(self, owner_id: OwnerKey) -> Iterable[tuple[str, Iterable[Mapping[str, Any]]]]:
        """What this kind keeps of a person beside jobs, for the export: a name ("accounts") and its rows as JSON data.

        No secrets. The rows are read one by one, so `QuerySet.iterator` keeps the memory small.
        """
        return ()

    def stored_beside(self, owner_id: OwnerKey) -> int:
        """Bytes that this kind still stores of a person for jobs that are deleted, or for none."""
        return 0

    def forget_owner(self, owner_id: OwnerKey) -> None:
        """Delete what is left of a person whose account is about to go: their jobs are gone already.

        Rows that hang on the account by a foreign key go with it. Called again if the worker died.
        """

    def __str__(self) -> str:
        return self.name


_kinds: dict[str, Kind] = {}
_mistakes: list[tuple[str, str]] = []


def register(kind: Kind) -> None:
    """Make a kind known; called once from its app's `ready`.

    A wrong call raises nothing, so that `manage.py check` can tell of all of them: see `mistakes`.
    """
    if not isinstance(kind, Kind):
        _mistakes.append((f"register was handed {kind!r}, which is no kind.", "Hand it an instance: MyKind()."))
        return
    which, name = dotted_name(kind), getattr(kind, "name", None)
    if not isinstance(name, str):
        _mistakes.append((f"{which} has no name.", "Give the class `name`: one word, which never changes."))
        return
    known_as = next((other for other, one in _kinds.items() if type(one) is type(kind)), name)
    if known_as != name:
        _mistakes.append(
            (
                f"{which} is registered under two names, {known_as!r} and {name!r}; the first one stays.",
                "Rows carry the name: make each kind a class of its own, with one name.",
            )
        )
    elif type(first := _kinds.setdefault(name, kind)) is not type(kind):
        _mistakes.append(
            (
                f"Two kinds are named {name!r}, {dotted_name(first)} and {which}; the first one stays.",
                "Rename one, or install only one of their apps.",
            )
        )
    elif apps.ready:
        _mistakes.append(
            (
                f"{which} is registered too late: the site's addresses, and workers, may not know it.",
                "Call register in the `ready` method of its app's AppConfig.",
            )
        )


def mistakes() -> Iterator[tuple[str, str]]:
    """What was wrong with calls of `register` so far: a sentence each, and what to do."""
    return iter(tuple(_mistakes))


def dotted_name(kind: Kind) -> str:
    """The class of a kind, as Python finds it."""
    return f"{type(kind).__module__}.{type(kind).__qualname__}"


def kind_named(name: str) -> Kind | None:
    """The installed kind of that name, or None."""
    return _kinds.get(name)


def installed_kinds() -> Iterator[Kind]:
    """All kinds, in the order of INSTALLED_APPS."""
    return iter(tuple(_kinds.values()))
