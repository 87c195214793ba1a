"""A process that proves one bundle, in one thread: python -m indexer.proving FOLDER PARENT_PID.

It ends with its parent, and prints one JSON document: {"proof": …} with the `Proof`, or {"refused": …} with the
sentence that says why there is none.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main(folder: str, parent_pid: str) -> None:
    """Prove the bundle in `folder`."""
    _end_with(int(parent_pid))
    print(json.dumps(_told(Path(folder))))


def _end_with(parent_pid: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(1)


def _told(folder: Path) -> dict[str, object]:
    # Not before it is sure to end with its parent: this takes longer than most proofs.
    from indexer.bundle import proved
    from indexer.errors import BundleError

    try:
        return {"proof": proved(folder, n_threads=1)}
    except (BundleError, OSError) as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    main(*sys.argv[1:])
