"""All that a kind's code may import from the core. docs/adding-a-kind.md walks through it."""

from jobs.kind import (
    ClaimLost,
    Failed,
    JobError,
    Kind,
    KindForm,
    OnHold,
    Role,
    Run,
    Stopped,
    Submission,
    TryAgain,
    installed,
    register,
)
from jobs.lifecycle import cancel, delete, resume, submit
from jobs.models import Job
from jobs.owners import jobs_of, visitor_of
from jobs.processes import end_with_parent
from jobs.waiting import wait_of

__all__ = [
    "ClaimLost",
    "Failed",
    "Job",
    "JobError",
    "Kind",
    "KindForm",
    "OnHold",
    "Role",
    "Run",
    "Stopped",
    "Submission",
    "TryAgain",
    "cancel",
    "delete",
    "end_with_parent",
    "installed",
    "jobs_of",
    "register",
    "resume",
    "submit",
    "visitor_of",
    "wait_of",
]
