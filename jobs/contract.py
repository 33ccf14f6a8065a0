"""All that a kind's code may import from the core. docs/adding-a-kind.md walks through it."""

from jobs.kind import ClaimLost, Failed, JobError, Kind, KindForm, Role, Run, Submission, TryAgain, register
from jobs.lifecycle import submit
from jobs.models import Job
from jobs.owners import jobs_of, visitor_of
from jobs.processes import end_with_parent

__all__ = [
    "ClaimLost",
    "Failed",
    "Job",
    "JobError",
    "Kind",
    "KindForm",
    "Role",
    "Run",
    "Submission",
    "TryAgain",
    "end_with_parent",
    "jobs_of",
    "register",
    "submit",
    "visitor_of",
]
