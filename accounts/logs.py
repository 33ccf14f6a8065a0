"""Keeping the keys of mailed links out of the logs: whoever reads a log must not be able to use one.

Used by the settings' LOGGING and by gunicorn.conf.py, so this imports nothing of Django.
"""

import logging
import re

_KEY = re.compile(r"(/confirm-email/|/password/reset/key/[0-9A-Za-z]+-)(?!again/)[^/\s?\"']+")


class WithoutKeys(logging.Filter):
    """Shortens the key of a confirmation or reset link to an ellipsis, wherever it stands in a line of the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record where that is needed. True: every record is logged."""
        said = record.getMessage()
        shortened = _KEY.sub(r"\1…", said)
        if shortened != said:
            record.msg, record.args = shortened, None
        return True
