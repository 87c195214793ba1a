"""Makes versions current by turns.

    python -m benchmarks.serving.flips STORE AFTER_S EVERY_S VERSION …

As an operator's `matinee store activate` does, on the same machine but at the lowest priority: it proves every checksum
before CURRENT changes, and that work is not the server's. One JSON document a line for each: the version, and when it
was begun, when CURRENT changed, µs since the epoch.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.serving.worlds import NEWER, OLDER, World
from indexer.current import CURRENT
from indexer.store import Store


def flipping(world: World, n: int, after_s: float, every_s: float) -> "subprocess.Popen[str]":
    """A process that makes the older and the newer version current by turns, `n` times."""
    turns = [world.versions[(OLDER, NEWER)[turn % 2]] for turn in range(n)]
    command = [sys.executable, "-m", "benchmarks.serving.flips", world.store.folder, after_s, every_s, *turns]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)


def flips_of(process: "subprocess.Popen[str]") -> list[dict[str, Any]]:
    """What it did, at its end. Exits where it failed."""
    output, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"activating versions failed with {process.returncode}")
    return [json.loads(line) for line in output.splitlines()]


def main() -> None:
    """Activate each version at its time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("after_s", type=float)
    parser.add_argument("every_s", type=float)
    parser.add_argument("versions", nargs="+")
    options = parser.parse_args()
    os.nice(19)
    store, began = Store(options.store, wait_s=60), time.monotonic()
    for place, version in enumerate(options.versions):
        time.sleep(max(0.0, began + options.after_s + place * options.every_s - time.monotonic()))
        begun_us = time.time_ns() // 1000
        store.activate(version)
        flipped_us = (options.store / CURRENT).stat().st_mtime_ns // 1000
        print(json.dumps({"version": version, "begun_us": begun_us, "flipped_us": flipped_us}), flush=True)


if __name__ == "__main__":
    main()
