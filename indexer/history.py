"""What was current before: `HISTORY`, one version a line, the latest last. It is what `rollback` goes back through.

It is written before CURRENT names another version, and after a rollback. Killed in between, it ends in what is current,
which whoever reads it leaves out: so it is right after every step.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from indexer.current import replace_text
from indexer.versions import is_version

HISTORY = "HISTORY"
_MOST = 100
_MAX_BYTES = 1 << 14


def read_history(store: Path) -> list[str] | None:
    """The versions that were current, the latest last; None where no history was ever written.

    Lines that name no version are left out: damage to it must not stop a rollback.
    """
    path = store / HISTORY
    # A file that is not regular could block or never end.
    if not path.is_file():
        return None
    with path.open("rb") as file:
        text = file.read(_MAX_BYTES).decode(errors="replace")
    return [line for line in text.splitlines() if is_version(line)]


def write_history(store: Path, versions: Sequence[str]) -> None:
    """Make the latest of `versions` the history, in one step."""
    replace_text(store / HISTORY, "".join(f"{version}\n" for version in versions[-_MOST:]))


def left_of(history: Sequence[str], current: str, there: Collection[str]) -> list[str]:
    """Those of `history` that are still there, the latest last, without what is `current` at its end."""
    left = [version for version in history if version in there]
    while left and left[-1] == current:
        left.pop()
    return left
