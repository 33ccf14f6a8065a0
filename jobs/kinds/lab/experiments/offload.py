"""A call to a slow API inside the request, and behind the queue, while other visitors want a plain page."""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import UUID

import requests
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ....contract import Failed, Job, Run
from .. import crew, passes, server
from ..report import Bar, Chart, Part, Table, bars, in_seconds
from ..steps import call_slow_api

API_MS = 1000
"""How long the API takes to answer."""
SECONDS = 3.0
"""The visitors arrive evenly over this time, and so long the others are counted."""
PAUSE_SECONDS = 0.03
"""Between two of the others; so there are at most 100."""
TIMEOUT = 20
"""Seconds until a visitor goes away."""
MODES = {"waits": (gettext_lazy("Inside the request"), "bad"), "queues": (gettext_lazy("Behind the queue"), "good")}


def run(run: Run, size: int) -> dict[str, Any]:
    """`size` visitors who need the call, on a web server of their own, in each mode.

    Returns for each mode the response times of the visitors and of the others (seconds; see `_times`), and for the
    queue the time from a job's acceptance to its outcome.
    """
    try:
        call_slow_api(0)
    except requests.RequestException:
        raise Failed("practice_network") from None
    run.progress(0, "starting_server")
    with server.serving() as site:
        visit = _Visits(site, passes.issue(run.job_id, API_MS))
        visit.warm_up()
        run.progress(10, "view_waits")
        waits = visit.load("waits", size)[0]
        run.progress(50, "view_queues")
        queues, jobs = visit.load("queues", size)
    crew.finish(run, jobs, (80, 100), "queued_calls")
    outcomes = [
        (job.finished_at - job.created_at).total_seconds() for job in Job.objects.filter(pk__in=jobs) if job.finished_at
    ]
    return {"api": API_MS / 1000, "seconds": SECONDS, "waits": waits, "queues": {**queues, "outcome": _times(outcomes)}}


class _Visits:
    """Requests to the web server of the experiment."""

    def __init__(self, site: str, ticket: str) -> None:
        self.site = site
        self.headers = {passes.HEADER: ticket}

    def warm_up(self) -> None:
        """Have each process of the server load what it needs. Raises Failed if it does not answer."""
        with ThreadPoolExecutor(server.PROCESSES * 4) as pool:
            answers = list(pool.map(lambda _: self._ask("GET", "page"), range(server.PROCESSES * 8)))
        if None in answers:
            raise Failed("no_server")

    def load(self, view: str, size: int) -> tuple[dict[str, Any], list[UUID]]:
        """`size` visitors of a view, and others meanwhile. Returns their times, and the jobs that were made."""
        with ThreadPoolExecutor(size + 1) as pool:
            start = time.monotonic()
            others = pool.submit(self._others, start + SECONDS)
            asked = [pool.submit(self._visitor, view, start + SECONDS * number / size) for number in range(size)]
            answers = [one.result() for one in asked]
        answered = [answer for answer in answers if answer]
        jobs = [UUID(body["job"]) for _, body in answered if "job" in body]
        figures = _times([seconds for seconds, _ in answered])
        return {**figures, "visitors": size, "others": _times(others.result())}, jobs

    def _visitor(self, view: str, at: float) -> tuple[float, dict[str, Any]] | None:
        time.sleep(max(0.0, at - time.monotonic()))
        return self._ask("POST", view)

    def _others(self, end: float) -> list[float]:
        """One visitor of a plain page after another. Returns the times of those who were answered before the end."""
        times = []
        while time.monotonic() < end:
            answer = self._ask("GET", "page")
            if answer and time.monotonic() < end:
                times.append(answer[0])
            time.sleep(PAUSE_SECONDS)
        return times

    def _ask(self, method: str, view: str) -> tuple[float, dict[str, Any]] | None:
        """Seconds until the answer, and the answer; None if there was none, or an error."""
        start = time.monotonic()
        with suppress(requests.RequestException), requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, f"{self.site}/lab/try/{view}/", headers=self.headers, timeout=TIMEOUT)
            if answer.ok:
                body: dict[str, Any] = answer.json()
                return time.monotonic() - start, body
        return None


def _times(seconds: Sequence[float]) -> dict[str, Any]:
    """How many there were, and their median and 95th and 99th percentile (None if there were none)."""
    if not seconds:
        return {"count": 0, "median": None, "p95": None, "p99": None}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else list(seconds) * 99
    return {"count": len(seconds), "median": round(cuts[49], 4), "p95": round(cuts[94], 4), "p99": round(cuts[98], 4)}


def report(found: dict[str, Any]) -> list[Part]:
    """Response times of the visitors, and how many others were answered."""
    waits, queues = found["waits"], found["queues"]
    api, period = _("%g s") % found["api"], _("%g s") % found["seconds"]
    times = Part(
        _("How long visitors wait for their answer"),
        [
            _(
                "%(visitors)s visitors within %(period)s need a call to an API that takes %(api)s to answer. A view "
                "that makes the call keeps each of them, and one of the web server's threads, waiting for it. A view "
                "that queues a job answers at once; the call's outcome was there %(median)s after that (median; "
                "95 %% within %(p95)s)."
            )
            % {
                "visitors": waits["visitors"],
                "period": period,
                "api": api,
                "median": _time(queues["outcome"]["median"]),
                "p95": _time(queues["outcome"]["p95"]),
            },
        ],
        [_times_chart(found)],
        [
            Table(
                _("Response times"),
                _head(),
                [
                    *(
                        _times_row(str(name), found[mode], found[mode]["visitors"])
                        for mode, (name, tone) in MODES.items()
                    ),
                    _times_row(_("The queued call's outcome"), queues["outcome"], queues["visitors"]),
                ],
            )
        ],
    )
    others = Part(
        _("Who else could be answered meanwhile"),
        [
            _(
                "In the same %(period)s other visitors wanted a plain page, one after another. Where the web server's "
                "threads waited for the API, %(waiting)s of them got it; where they did not, %(queueing)s."
            )
            % {"period": period, "waiting": waits["others"]["count"], "queueing": queues["others"]["count"]}
        ],
        [_others_chart(found)],
        [
            Table(
                _("Other visitors"),
                _head(),
                [_times_row(str(name), found[mode]["others"]) for mode, (name, tone) in MODES.items()],
            )
        ],
    )
    return [times, others]


def _head() -> list[str]:
    """What is above the columns of `_times_row`."""
    return ["", _("Answered"), _("Median"), _("95 % within"), _("99 % within")]


def _times_chart(found: dict[str, Any]) -> Chart:
    rows = [
        Bar(f"{name}: {words}", found[mode][measure] or 0, _time(found[mode][measure]), tone)
        for measure, words in (("median", _("median")), ("p95", _("95 % within")), ("p99", _("99 % within")))
        for mode, (name, tone) in MODES.items()
    ]
    return bars(_("Response times"), " ".join(f"{row.name} {row.text}." for row in rows), rows)


def _others_chart(found: dict[str, Any]) -> Chart:
    rows = [
        Bar(str(name), found[mode]["others"]["count"], str(found[mode]["others"]["count"]), tone)
        for mode, (name, tone) in MODES.items()
    ]
    return bars(_("Others answered"), " ".join(f"{row.name}: {row.text}." for row in rows), rows)


def _times_row(name: str, times: dict[str, Any], of: int | None = None) -> list[str]:
    count = _("%(count)s of %(size)s") % {"count": times["count"], "size": of} if of else str(times["count"])
    return [name, count, *(_time(times[measure]) for measure in ("median", "p95", "p99"))]


def _time(seconds: float | None) -> str:
    return _("none") if seconds is None else in_seconds(seconds)
