"""`make audit`: asks whether flaws are known of the packages that the lock files name, Python's and JavaScript's.

Exit code 0: nothing found. 1: something found. 2: nothing found, but not everything could be asked.
pip-audit asks PyPI, or what its own variables say (PIP_AUDIT_VULNERABILITY_SERVICE=osv); npm asks its registry.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOUND, NOT_ASKED = 1, 2


class NotAsked(Exception):
    """Why a source could not be asked: one line."""


def main() -> int:
    """Ask about each lock file, and say a line for each. Returns the exit code."""
    audits: dict[str, Callable[[], list[str]]] = {
        str(lock.relative_to(ROOT)): lambda lock=lock: of_python(lock)  # type: ignore[misc]
        for lock in sorted((ROOT / "requirements").glob("*.txt"))
    }
    audits["package-lock.json"] = of_javascript
    codes = {0}
    for name, audit in audits.items():
        try:
            found = audit()
        except NotAsked as reason:
            codes.add(NOT_ASKED)
            say(f"{name}: could not ask: {reason}")
        else:
            codes.add(FOUND if found else 0)
            say(f"{name}: {'; '.join(found) or 'nothing found'}")
    return FOUND if FOUND in codes else max(codes)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def of_python(lock: Path) -> list[str]:
    """The flaws that are known of a lock file's packages. Raises NotAsked."""
    # Nothing is resolved or installed: the file names every package.
    options = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    told = _json_of([sys.executable, "-m", "pip_audit", *options, "--requirement", str(lock)])
    packages = told["dependencies"]
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in {' or '.join(flaw['fix_versions']) or 'none'}"
        for package in packages
        for flaw in package.get("vulns", [])
    ]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown and not found:
        raise NotAsked(f"no answer about {len(unknown)} of {len(packages)} packages ({unknown[0]}, …)")
    return found


def of_javascript() -> list[str]:
    """The flaws that are known of the packages in package-lock.json. Raises NotAsked."""
    told = _json_of(["npm", "audit", "--package-lock-only", "--json"])
    if "vulnerabilities" not in told:
        raise NotAsked(str(told.get("message") or told).splitlines()[0])
    return [f"{name}: {flaw['severity']}" for name, flaw in told["vulnerabilities"].items()]


def _json_of(command: list[str]) -> dict[str, Any]:
    """What a program prints as JSON, which both do also where they find something. Raises NotAsked."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
        told: dict[str, Any] = json.loads(done.stdout)
    except FileNotFoundError:
        raise NotAsked(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise NotAsked("no answer within ten minutes") from None
    except ValueError:
        raise NotAsked((done.stderr.strip() or "no answer").splitlines()[-1]) from None
    return told


if __name__ == "__main__":
    sys.exit(main())
