"""Whether a worker's memory stays flat: 100,000 jobs that do nothing, through one process of the network role.

python -m bench.leak --database sqlite
"""

import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench import command
from bench.measure import Setup
from bench.services import ROOT, services
from bench.systems import SYSTEMS


def main() -> None:
    """Measure and report."""
    options = command.parser(__doc__ or "", rounds=20)
    options.add_argument("--jobs", type=int, default=5_000, help="jobs of a round (%(default)s)")
    options.add_argument("--at-once", type=int, default=32, help="jobs at once (%(default)s)")
    asked = options.parse_args()
    (offload,) = [system for system in SYSTEMS if system.name == "offload"]
    alone = replace(offload, workers=lambda at_once: offload.workers(at_once)[:1])
    samples: list[dict[str, float]] = []
    with (
        tempfile.TemporaryDirectory(prefix="offload-bench-") as folder,
        services(Path(folder), asked.database) as shared,
    ):
        setup = Setup(alone, shared)
        try:
            setup.reset()
            with setup.workers(asked.at_once) as watch:
                for number in range(asked.rounds):
                    began = time.monotonic()
                    setup.ask("enqueue", "noop", number * asked.jobs, asked.jobs)
                    done = (number + 1) * asked.jobs
                    while setup.noted() < done:
                        if not watch.alive():
                            raise SystemExit(f"The worker ended.\n{setup.log()}")
                        time.sleep(0.1)
                    time.sleep(1)  # until the last outcomes are written
                    one = {"jobs": done, "pss": watch.memory(), "uss": watch.memory("uss")}
                    samples.append({**one, "seconds": time.monotonic() - began})
                    print(f"{done:,} jobs: {one['pss']:.1f} MB, {one['uss']:.1f} of them its own", flush=True)
        finally:
            setup.close()
        environment = {**command.machine(), **shared.versions}
    settled = samples[len(samples) // 5 :]
    line = statistics.linear_regression([one["jobs"] for one in settled], [one["uss"] for one in settled])
    growth = line.slope * 100_000
    path = ROOT / "bench" / "results" / f"leak-{asked.database}.json"
    found = {"environment": environment, "options": vars(asked), "samples": samples, "mb per 100,000 jobs": growth}
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(
        f"\n{asked.database}: {samples[0]['pss']:.1f} MB after {samples[0]['jobs']:,} jobs, "
        f"{samples[-1]['pss']:.1f} MB after {samples[-1]['jobs']:,}. "
        f"After the first fifth its own memory grows by {growth:+.1f} MB in 100,000 jobs."
    )
    print(f"\nRaw results: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
