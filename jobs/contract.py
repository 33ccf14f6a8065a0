"""All that a kind's code may import from the core. docs/adding-a-kind.md walks through it."""

from .conf import options
from .core.exchanges import connect, exchange, look_up
from .core.leftovers import tidying
from .core.lifecycle import cancel, delete, resume, submit
from .core.processes import end_with_parent
from .core.quotas import BYTES, COMPUTING, QuotaExceeded, for_jobs
from .core.quotas import check as check_quotas
from .core.waiting import wait_of
from .kind import (
    ClaimLost,
    Failed,
    JobError,
    Kind,
    KindForm,
    OnHold,
    OwnerKey,
    Quota,
    Role,
    Run,
    Stopped,
    Submission,
    TryAgain,
    Use,
    WaitReason,
    installed_kinds,
    register,
)
from .models import Job, Status
from .sentences import Sentence, Text
from .staff.read_only import ReadOnly, search_by_owner
from .storable import Unstorable
from .web.access import jobs_of, visitor_of
from .web.answers import no_room
from .wording import all_worded, worded

__all__ = [
    "BYTES",
    "COMPUTING",
    "ClaimLost",
    "Failed",
    "Job",
    "JobError",
    "Kind",
    "KindForm",
    "OnHold",
    "OwnerKey",
    "Quota",
    "QuotaExceeded",
    "ReadOnly",
    "Role",
    "Run",
    "Sentence",
    "Status",
    "Stopped",
    "Submission",
    "Text",
    "TryAgain",
    "Unstorable",
    "Use",
    "WaitReason",
    "all_worded",
    "cancel",
    "check_quotas",
    "connect",
    "delete",
    "end_with_parent",
    "exchange",
    "for_jobs",
    "installed_kinds",
    "jobs_of",
    "look_up",
    "no_room",
    "options",
    "register",
    "resume",
    "search_by_owner",
    "submit",
    "tidying",
    "visitor_of",
    "wait_of",
    "worded",
]
