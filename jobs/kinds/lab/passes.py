"""Who may use the views that the third experiment visits: a run that is going on, and nobody else.

The view that waits would else be a way to stall the site.
"""

from uuid import UUID

from django.core import signing
from django.http import Http404, HttpRequest

from ...contract import Job, Status

HEADER = "X-Lab-Pass"
SALT = "lab"
SECONDS = 120
"""How long a pass is good for."""


def issue(run: UUID, ms: int) -> str:
    """A pass for this run; ms: the milliseconds that the API shall take to answer its visitors."""
    return signing.dumps({"run": str(run), "ms": ms}, salt=SALT)


def check(request: HttpRequest) -> int:
    """The pass's milliseconds. Raises Http404 without a pass of a run that is going on."""
    try:
        found = signing.loads(request.headers.get(HEADER, ""), salt=SALT, max_age=SECONDS)
    except signing.BadSignature:
        raise Http404 from None
    if not Job.objects.filter(pk=found["run"], kind="lab", status=Status.RUNNING).exists():
        raise Http404
    ms: int = found["ms"]
    return ms
