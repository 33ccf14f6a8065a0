"""docs/asvs.md: every requirement of levels 1 and 2 has its row, and what a row points to is there."""

import re
from collections import Counter

from tests.processes import ROOT

PAGE = (ROOT / "docs" / "asvs.md").read_text()
ROWS = re.findall(r"^\| (\d+\.\d+\.\d+) \| ([12]) \| .+ \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)
LEVELS = {"1": 70, "2": 183}
"""How many requirements of each level the standard has. https://github.com/OWASP/ASVS/tree/v5.0.0/5.0"""
STATES = ("met", "**not met**", "not applicable")


def test_each_requirement_has_one_row_with_a_state_and_a_reason():
    assert Counter(level for _, level, _, _ in ROWS) == LEVELS
    assert len({number for number, *_ in ROWS}) == len(ROWS)
    assert {state for _, _, state, _ in ROWS} == set(STATES)


def test_the_sums_at_the_top_are_those_of_the_rows():
    for level in LEVELS:
        sums = [sum(row[1:3] == (level, state) for row in ROWS) for state in STATES]
        assert f"| {level} | {' | '.join(map(str, sums))} |" in PAGE


def test_the_files_that_rows_point_to_are_there():
    named = {path for *_, why in ROWS for path in re.findall(r"`([\w.-]+/[\w./-]*)`", why)}
    named |= {f"docs/{path}" for *_, why in ROWS for path in re.findall(r"\]\(([^)]+)\)", why)}
    assert len(named) > 40
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
