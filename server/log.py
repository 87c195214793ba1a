"""Where the log goes."""

import logging
import sys


def log_to_stderr() -> None:
    """One line of text an event, on standard error."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
