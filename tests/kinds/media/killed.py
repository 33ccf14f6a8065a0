"""An edit whose worker is killed at the worst moment."""

import os
import signal

from jobs.contract import Run
from jobs.kinds.media.kind import EditKind
from jobs.kinds.media.models import Version


class KilledEdit(EditKind):
    """An edit; the first attempt's worker is killed when its version is written and its outcome is not."""

    name = "killed_edit"
    label = "Killed edit"
    form = None

    def make(self, run: Run) -> Version:
        version = super().make(run)
        if run.attempt == 1:
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        return version
