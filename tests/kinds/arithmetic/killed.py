"""A kind whose worker is killed at the worst moment."""

import os
import signal
from typing import Any

from jobs.contract import Kind, Run
from jobs.kinds.arithmetic.kind import ArithmeticKind


class KilledKind(Kind):
    """Arithmetic; the first attempt's worker is killed when its change is written and its outcome is not."""

    name = "killed"
    label = "Killed"

    def run(self, run: Run) -> dict[str, Any]:
        result = ArithmeticKind().run(run)
        if run.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
