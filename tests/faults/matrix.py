"""`make faults`: run every row of the fault matrix on both databases and print it with its figures.

`python -m tests.faults.matrix [--rounds N] [sqlite] [postgresql]`. The databases have their turn side by side. Ends
with code 1 unless every row passes in every round.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent.parent
DATABASES = ("sqlite", "postgresql")

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
    39: "any text, result, progress or kept value",
    53: "kill -9 in a line of 20,000 short jobs",
}

MAIL = "tests/kinds/email/test_kind.py::"
POSTING = "tests/kinds/social/test_kind.py::"
MASTODON = "tests/kinds/social/networks/mastodon/test_client.py::"
BLUESKY = "tests/kinds/social/networks/bluesky/test_client.py::"
HTTP = "tests/kinds/social/test_http.py::"
MEDIA = "tests/kinds/media/"
ELSEWHERE = {
    8: [
        "tests/kinds/email/test_kind.py::test_a_worker_that_is_killed_before_the_servers_answer_sends_one_mail_and_says_so"
    ],
    22: [
        f"{POSTING}test_a_moment_that_a_rate_limit_names_is_waited_for",
        f"{POSTING}test_a_rate_limit_is_waited_for_and_named",
        f"{POSTING}test_a_server_in_trouble_is_tried_again",
        f"{POSTING}test_a_server_that_stays_in_trouble_ends_the_job_with_the_reason",
        f"{BLUESKY}test_a_rate_limit_of_bluesky_is_waited_for",
        f"{HTTP}test_a_body_that_trickles_in_is_given_up",
        f"{HTTP}test_an_answer_that_is_not_http_is_no_answer",
    ],
    23: [
        f"{MASTODON}test_a_reply_lost_after_the_post_was_made_leaves_one_status",
        "tests/kinds/social/test_practice_network.py::test_whatever_the_network_does_there_is_one_status",
    ],
    24: [f"{BLUESKY}test_a_lost_reply_of_bluesky_is_repeated_with_the_same_record"],
    27: [
        f"{HTTP}test_no_form_of_a_private_address_is_called",
        f"{HTTP}test_a_redirect_to_loopback_is_not_followed_and_its_body_is_bounded",
    ],
    28: [
        f"{MEDIA}test_memory.py::test_a_pixel_bomb_is_refused_within_512_mb",
        f"{MEDIA}test_kind.py::test_a_media_worker_brings_every_upload_to_its_outcome_and_lives",
        f"{MEDIA}test_forms.py",
        f"{MEDIA}test_formats.py",
    ],
}
"""Rows that the kinds' own tests show."""
ONLY_ON = {14: "postgresql", 25: "postgresql"}
"""Rows that say nothing on another database."""


@dataclass
class Report:
    """What pytest said of the fault tests on one database: the cases of each row."""

    cases: dict[int, list[ElementTree.Element]]

    @property
    def failed(self) -> set[int]:
        """The rows of which a test failed."""
        return {row for row, cases in self.cases.items() if any(map(is_broken, cases))}

    @property
    def passed(self) -> set[int]:
        """The rows that were shown."""
        return {row for row, cases in self.cases.items() if not all(map(is_skipped, cases))} - self.failed


def run(database: str) -> Report:
    """Run all fault tests on one database, and pass on each line that pytest says."""
    elsewhere = [test for tests in ELSEWHERE.values() for test in tests]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.xml"
        options = ["-v", "-p", "no:randomly", "-o", "junit_family=xunit1", f"--junit-xml={path}"]
        pytest = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, "tests/faults", *elsewhere],
            cwd=ROOT,
            env={**os.environ, "OFFLOAD_TEST_DATABASE": database, "OFFLOAD_FAULTS": "all"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert pytest.stdout
        for line in pytest.stdout:
            print(f"{database:10} {line}", end="", flush=True)
        pytest.wait()
        cases = defaultdict(list)
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            cases[row_of(case)].append(case)
        return Report(cases)


def row_of(case: ElementTree.Element) -> int:
    """The row that a test shows."""
    if (mark := case.find("properties/property[@name='row']")) is not None:
        return int(mark.attrib["value"])
    node = f"{case.attrib['file']}::{case.attrib['name'].partition('[')[0]}"
    return next(row for row, tests in ELSEWHERE.items() if any(node.startswith(test) for test in tests))


def is_broken(case: ElementTree.Element) -> bool:
    """Whether the test failed, or its preparation."""
    return case.find("failure") is not None or case.find("error") is not None


def is_skipped(case: ElementTree.Element) -> bool:
    """Whether the test could not be run here."""
    return case.find("skipped") is not None


def show(database: str, report: Report) -> None:
    """Print the rows of one database."""
    print(f"\n{database}\n")
    for row, title in ROWS.items():
        cases = report.cases.get(row, [])
        notes = [mark.attrib["value"] for case in cases for mark in case.findall("properties/property[@name='figure']")]
        notes += [why.attrib["message"] for case in cases for why in case.findall("skipped")]
        notes += [f"FAILED {case.attrib['name']}" for case in cases if is_broken(case)]
        verdict = "FAIL" if row in report.failed else "pass" if row in report.passed else "–"
        seconds = sum(float(case.attrib["time"]) for case in cases)
        print(f"{row:3} {verdict:4} {title:53} {len(cases)} tests, {seconds:.0f} s")
        for note in notes:
            print(f"         {note}")


def main() -> int:
    """Run, print, and tell whether all is well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("databases", nargs="*", metavar="database", help="sqlite, postgresql or both (the default)")
    parser.add_argument("--rounds", type=int, default=1, help="how often all of it has to pass (%(default)s)")
    asked = parser.parse_args()
    databases = asked.databases or list(DATABASES)
    if not set(databases) <= set(DATABASES):
        parser.error(f"a database is one of {', '.join(DATABASES)}")
    # A row that only another database can show is not asked of these.
    rows = {row for row in ROWS if ONLY_ON.get(row, databases[0]) in databases}
    good, rounds = set(rows), []
    for number in range(1, asked.rounds + 1):
        began = time.monotonic()
        with ThreadPoolExecutor() as threads:
            reports = dict(zip(databases, threads.map(run, databases), strict=True))
        for database, report in reports.items():
            show(database, report)
        failed = {row for report in reports.values() for row in report.failed}
        passed = {row for report in reports.values() for row in report.passed} - failed
        good &= passed
        bad = ", ".join(map(str, sorted(rows - passed)))
        rounds.append(
            f"round {number} of {asked.rounds}: {len(passed)} of {len(rows)} pass, {time.monotonic() - began:.0f} s"
            + (f"; not {bad}" if bad else "")
        )
        print(f"\n{rounds[-1]}", flush=True)
    print("\nA dash: the row says nothing on this database, or could not be shown.")
    print("\n".join(rounds))
    print(f"faults: {len(good)} of {len(rows)} pass on {' and '.join(databases)}")
    return 0 if good == rows else 1


if __name__ == "__main__":
    sys.exit(main())
