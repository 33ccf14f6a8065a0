"""Reads bench/results/*.json of goals 1 to 3, and writes their tables and the drawing of docs/performance.md.

    python -m bench.report

The tables stand between two comments in docs/performance.md; everything outside of them is written by hand.
"""

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from bench.command import spread, table
from bench.services import ROOT
from bench.slow import DELAY
from bench.systems import SYSTEMS, System

Runs = list[dict[str, Any]]

PAGE = ROOT / "docs" / "performance.md"
DRAWING = ROOT / "docs" / "performance.svg"
BEGIN, END = "<!-- Written by `python -m bench.report`: begin -->", "<!-- end -->"
DATABASES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


def tables(goal: str, result: dict[str, Any]) -> str:
    """The tables of one result, one for each case, in Markdown."""
    parts = []
    for case, by_system in cases(goal, result).items():
        lines = [COLUMNS[goal][1](system, runs, case) for system, runs in _measured(by_system)]
        head = [cell.format(limit=_limit(case)) for cell in COLUMNS[goal][0]]
        rounds = max(len(runs) for runs in by_system.values())
        caption = f"{DATABASES[result['options']['database']]}, {case}; median (minimum–maximum) of {rounds} rounds:"
        parts.append(f"{caption}\n\n{table(head, lines)}\n")
    return "\n".join(parts)


def cases(goal: str, result: dict[str, Any]) -> dict[str, dict[str, Runs]]:
    """The samples by case and system. Of a drain the one case in which each system was fastest."""
    samples: dict[str, dict[str, Runs]] = result["samples"]
    if goal != "drain":
        return samples
    best: dict[str, Runs] = {}
    for case, by_system in samples.items():
        for name, runs in by_system.items():
            labelled = [{**one, "at once": case.split()[0]} for one in runs]
            if name not in best or _rate(labelled) > _rate(best[name]):
                best[name] = labelled
    return {"no-op": best}


def _rate(runs: Runs) -> float:
    return float(statistics.median(one["whole"] for one in runs))


def _measured(by_system: dict[str, Runs]) -> list[tuple[System, Runs]]:
    return [(system, by_system[system.name]) for system in SYSTEMS if system.name in by_system]


def _limit(case: str) -> str:
    """Jobs per second that so many in flight can't pass."""
    return f"{int(case.split()[0]) / DELAY:,.0f}" if "in flight" in case else ""


def _costs(runs: Runs) -> list[str]:
    return [
        spread([one["cpu_per_1000"]["workers"] for one in runs], 2),
        spread([one["cpu_per_1000"]["database"] for one in runs], 2),
        spread([one["memory_mb"] for one in runs]),
    ]


def _api(system: System, runs: Runs, case: str) -> list[str]:
    rates = [one["steady"] for one in runs]
    share = f"{100 * statistics.median(rates) * DELAY / int(case.split()[0]):.0f} %"
    return [system.label, spread(rates), share, *_costs(runs), system.state or "–"]


def _drain(system: System, runs: Runs, _case: str) -> list[str]:
    rates = spread([one["whole"] for one in runs])
    return [system.label, rates, runs[0]["at once"], *_costs(runs), system.state or "–"]


def _pickup(system: System, runs: Runs, _case: str) -> list[str]:
    cells = [spread([one[name] for one in runs], 1) for name in ("p50", "p99")]
    return [system.label, *cells, spread([one["cpu_percent"]["workers"] for one in runs], 1), system.state or "–"]


COSTS = ["worker CPU s per 1,000", "database CPU s per 1,000", "memory MB"]
COLUMNS: dict[str, tuple[list[str], Callable[[System, Runs, str], list[str]]]] = {
    "api": (["system", "jobs/s", "of the limit, {limit}/s", *COSTS, "outcome kept in"], _api),
    "drain": (["system", "jobs/s", "at once in a process", *COSTS, "outcome kept in"], _drain),
    "pickup": (["system", "p50 ms", "p99 ms", "worker CPU %", "outcome kept in"], _pickup),
}
TITLES = {
    "api": "200 ms API",
    "drain": "No-op drain",
    "pickup": "Pick-up",
}


# --- The drawing -----------------------------------------------------------------------------------------------------

WIDTH, LEFT, BAR, GAP = 760, 250, 16, 6
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600 }
.ours { fill: #2563eb }
.other { fill: #a3a3a3 }
.spread { stroke: #111; stroke-width: 2; opacity: .6 }
.limit { stroke: #c2410c; stroke-width: 2; stroke-dasharray: 4 3; fill: none }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .other { fill: #737373 } .ours { fill: #60a5fa } .spread { stroke: #fff }
}
"""


def draw(panels: Sequence[tuple[str, list[tuple[str, list[float], bool]], float | None]]) -> str:
    """An SVG of bars. panels: (title, [(label, values of the rounds, whether it is Offload)], limit or None)."""
    parts, y = [], 10
    for title, bars, limit in panels:
        parts.append(f'<text class="title" x="0" y="{y + 14}">{escape(title)}</text>')
        y += 26
        top = y
        scale = (WIDTH - LEFT - 70) / max([limit or 0, *(max(values) for _, values, _ in bars)])
        for label, values, ours in bars:
            middle, low, high = statistics.median(values), min(values), max(values)
            line, center = y + BAR - 4, y + BAR / 2
            width, figure = middle * scale, f"{middle:,.{0 if middle > 20 else 1}f}"
            parts += [
                f'<text x="{LEFT - 8}" y="{line}" text-anchor="end">{escape(label.replace("*", ""))}</text>',
                f'<rect class="{"ours" if ours else "other"}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}"/>',
                f'<path class="spread" d="M{LEFT + low * scale:.1f} {center}H{LEFT + high * scale:.1f}"/>',
                f'<text x="{LEFT + max(width, high * scale) + 6:.1f}" y="{line}">{figure}</text>',
            ]
            y += BAR + GAP
        if limit:
            x = LEFT + limit * scale
            parts.append(f'<path class="limit" d="M{x:.1f} {top - 4}V{y - GAP + 4}"/>')
        y += 14
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" aria-labelledby="t">'
    about = '<title id="t">Offload beside other systems; docs/performance.md has the same figures as tables</title>'
    return f"{head}{about}<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"


def panels(results: dict[tuple[str, str], dict[str, Any]]) -> list[Any]:
    """What is drawn: goals 1 to 3 on PostgreSQL."""
    shown: list[Any] = []
    for goal, figure, words in (
        ("api", "steady", "jobs/s that wait 200 ms for an API"),
        ("drain", "whole", "jobs/s that do nothing, 2 processes"),
        ("pickup", "p50", "ms from commit to the first line, p50 (less is better)"),
    ):
        result = results.get((goal, "postgresql"))
        for case, by_system in cases(goal, result).items() if result else ():
            bars = [
                (system.label, [one[figure] for one in runs], system.is_offload)
                for system, runs in _measured(by_system)
            ]
            limit = int(case.split()[0]) / DELAY if goal == "api" else None
            shown.append((f"{words}, {case}" if goal == "api" else words, bars, limit))
    return shown


# --- The page --------------------------------------------------------------------------------------------------------


def load(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The results that are there: (goal, database) → result."""
    return {
        (goal, database): json.loads(path.read_text())
        for goal in COLUMNS
        for database in DATABASES
        if (path := folder / f"{goal}-{database}.json").exists()
    }


def main() -> None:
    """Write the tables and the drawing."""
    results = load(ROOT / "bench" / "results")
    parts = []
    for (goal, database), result in results.items():
        parts.append(f"#### {TITLES[goal]}, {DATABASES[database]}\n\n{tables(goal, result)}\n{measured_on(result)}\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(parts) + f"\n{END}{after}")
    DRAWING.write_text(draw(panels(results)))


def measured_on(result: dict[str, Any]) -> str:
    """One line: when, on what, with which versions."""
    known = result["environment"]
    packages = ", ".join(f"{name} {version}" for name, version in known["packages"].items())
    servers = ", ".join(f"{name} {known[name]}" for name in ("postgresql", "sqlite", "valkey") if name in known)
    slow = result["options"].get("ceiling")
    ceiling = f" The slow server's own ceiling, at 800 connections: {slow[0]:,.0f} answers/s." if slow else ""
    return (
        f"{known['date']}, commit {known['commit']}, {known['cores']} cores ({known['processor']}), load before "
        f"{known['load before']:.1f}. Python {known['python']}, {servers}; {packages}.{ceiling}"
    )


if __name__ == "__main__":
    main()
