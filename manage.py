#!/usr/bin/env python
"""Django's command line for Offload: `python manage.py help` lists the commands."""

import os
import sys


def main() -> None:
    """Run one management command; a wrong setting ends in one sentence instead of a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
        from environs import EnvError, EnvValidationError
    except ImportError:
        sys.exit("Django is not installed in this Python: run `make install`, then use .venv/bin/python.")
    try:
        execute_from_command_line(sys.argv)
    except EnvValidationError as error:
        # Its own text holds the reasons as a Python list.
        sys.exit(f"Settings: {str(error).partition(' invalid: ')[0]}: {' '.join(error.error_messages)}")
    except (ImproperlyConfigured, EnvError) as error:
        sys.exit(f"Settings: {error}")


if __name__ == "__main__":
    main()
