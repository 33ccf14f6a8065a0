"""`make faults`: run every row of the fault matrix on both databases and print it with its figures.

`python -m tests.faults.matrix [sqlite] [postgresql]`. Ends with code 1 unless every row passes.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent.parent

ROWS = {
    1: "+2 then ×5 at once on 40 objects",
    2: "30 jobs on one object at once",
    3: "Redis refuses connections at submit",
    4: "Redis frozen for 10 s at submit",
    5: "Redis wiped with work in every state",
    6: "kill -9 worker and horse mid-job",
    7: "kill -9 the worker parent alone",
    8: "kill -9 after the effect, before the outcome is kept",
    9: "kill -9 between pop and start",
    10: "reply to the enqueue dropped",
    11: "same hint 10 times, to 4 workers",
    12: "Redis down across the end of a job",
    13: "horse frozen past its lease, then thawed",
    14: "PostgreSQL restarted mid-job",
    15: "chaos: 5 seeds × 120 jobs",
    16: "retry with backoff, jobs behind it",
    17: "job swallows exceptions past its time limit",
    18: "job holds the GIL past its time limit",
    19: "SIGTERM to worker and to the group",
    20: "garbage and hostile messages in Redis",
    21: "os._exit(0), SystemExit, out of memory",
    22: "API answers 429, 500, hangs, resets",
    23: "Mastodon reply lost after the post",
    24: "Bluesky reply lost",
    25: "worker's clock ±120 s",
    26: "4 writers, 800 transactions",
    27: "URLs of the SSRF list, redirect to loopback",
    28: "pixel bomb and other hostile files",
    29: "somebody else's job",
    30: "500 objects, one blocked",
}

MAIL = "tests/kinds/email/test_sending.py::"
POSTING = "tests/kinds/social/test_posting.py::"
HTTP = "tests/kinds/social/test_http.py::"
MEDIA = "tests/kinds/media/"
ELSEWHERE = {
    8: [
        "tests/kinds/email/test_sending.py::test_a_worker_that_is_killed_before_the_servers_answer_sends_one_mail_and_says_so"
    ],
    22: [
        f"{POSTING}test_a_moment_that_a_rate_limit_names_is_waited_for",
        f"{POSTING}test_a_rate_limit_is_waited_for_and_named",
        f"{POSTING}test_a_server_in_trouble_is_tried_again",
        f"{POSTING}test_a_server_that_stays_in_trouble_ends_the_job_with_the_reason",
        f"{POSTING}test_a_rate_limit_of_bluesky_is_waited_for",
        f"{HTTP}test_a_body_that_trickles_in_is_given_up",
        f"{HTTP}test_an_answer_that_is_not_http_is_no_answer",
    ],
    23: [
        f"{POSTING}test_a_reply_lost_after_the_post_was_made_leaves_one_status",
        "tests/kinds/social/test_practice_network.py::test_whatever_the_network_does_there_is_one_status",
    ],
    24: [f"{POSTING}test_a_lost_reply_of_bluesky_is_repeated_with_the_same_record"],
    27: [
        f"{HTTP}test_no_form_of_a_private_address_is_called",
        f"{HTTP}test_a_redirect_to_loopback_is_not_followed_and_its_body_is_bounded",
    ],
    28: [
        f"{MEDIA}test_memory.py::test_a_pixel_bomb_is_refused_within_512_mb",
        f"{MEDIA}test_kind.py::test_a_media_worker_brings_every_upload_to_its_outcome_and_lives",
        f"{MEDIA}test_form.py",
        f"{MEDIA}test_formats.py",
    ],
}
"""Rows that the kinds' own tests show."""


def run(database: str) -> ElementTree.Element:
    """Run all fault tests on one database. Returns pytest's report as JUnit XML."""
    elsewhere = [test for tests in ELSEWHERE.values() for test in tests]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "-p", "no:randomly", "-o", "junit_family=xunit1", f"--junit-xml={report}"]
        subprocess.run(
            [sys.executable, "-m", "pytest", *options, "tests/faults", *elsewhere],
            cwd=ROOT,
            env={**os.environ, "OFFLOAD_TEST_DATABASE": database, "OFFLOAD_FAULTS": "all"},
        )
        return ElementTree.parse(report).getroot()


def row_of(case: ElementTree.Element) -> int:
    """The row that a test shows."""
    if (mark := case.find("properties/property[@name='row']")) is not None:
        return int(mark.attrib["value"])
    node = f"{case.attrib['file']}::{case.attrib['name'].partition('[')[0]}"
    return next(row for row, tests in ELSEWHERE.items() if any(node.startswith(test) for test in tests))


def show(database: str, report: ElementTree.Element) -> set[int]:
    """Print the rows of one database. Returns those that fail."""
    cases = defaultdict(list)
    for case in report.iter("testcase"):
        cases[row_of(case)].append(case)
    failed = set()
    print(f"\n{database}\n")
    for row, title in ROWS.items():
        shown = [case for case in cases[row] if case.find("skipped") is None]
        broken = [case for case in shown if case.find("failure") is not None or case.find("error") is not None]
        notes = [mark.attrib["value"] for case in shown for mark in case.findall("properties/property[@name='figure']")]
        notes += [why.attrib["message"] for case in cases[row] for why in case.findall("skipped")]
        notes += [f"FAILED {case.attrib['name']}" for case in broken]
        verdict = "FAIL" if broken else "pass" if shown else "–"
        seconds = sum(float(case.attrib["time"]) for case in cases[row])
        print(f"{row:3} {verdict:4} {title:53} {len(shown)} tests, {seconds:.0f} s")
        for note in notes:
            print(f"         {note}")
        if broken:
            failed.add(row)
    return failed


def main() -> int:
    """Run, print, and tell whether all is well."""
    databases = sys.argv[1:] or ["sqlite", "postgresql"]
    began = time.monotonic()
    reports = {database: run(database) for database in databases}
    failed, seen = set(), set()
    for database, report in reports.items():
        failed |= show(database, report)
        seen |= {row_of(case) for case in report.iter("testcase") if case.find("skipped") is None}
    print(f"\n{time.monotonic() - began:.0f} s. A dash: the row says nothing on this database, or could not be shown.")
    print(f"faults: {len(seen - failed)} of {len(ROWS)} pass")
    return 0 if len(seen - failed) == len(ROWS) else 1


if __name__ == "__main__":
    sys.exit(main())
