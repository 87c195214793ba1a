"""A command run to its end in a process of its own: its seconds, its peak memory and its JSON document."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

# TensorFlow's own log says nothing that matters here.
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


def measured(module: str, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run `python -m MODULE ARGUMENTS` to its end: `seconds` in all, `peak_mib` resident, its `document`.

    And the machine's `load_average` before it: where others work too, figures are theirs as well.

    Linux counts the memory of the starting process as the child's until the child's own program is loaded: whoever
    calls this must stay small, and so must not hold the data. Exits where the command fails.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    load, started = round(os.getloadavg()[0], 2), time.perf_counter()
    variables = {**os.environ, **_QUIET, **(environment or {})}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables)
    assert process.stdout is not None
    with process.stdout:
        document = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"failed with {process.returncode}: {' '.join(command)}")
    seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 2),
        "peak_mib": usage.ru_maxrss // 1024,
        "load_average": load,
        "document": json.loads(document),
    }


def matinee(*arguments: str | Path) -> dict[str, Any]:
    """The same of `matinee ARGUMENTS --json`."""
    return measured("matinee", *arguments, "--json")


def wide_console() -> Console:
    """For people, on standard error; wide enough for a table where that goes to a file."""
    console = Console(stderr=True)
    return console if console.is_terminal else Console(stderr=True, width=160)
