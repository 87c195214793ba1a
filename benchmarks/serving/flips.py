"""Makes versions current by turns.

    python -m benchmarks.serving.flips STORE AFTER_S EVERY_S VERSION …

As an operator's `matinee store activate` does, on the same machine but at the lowest priority: it proves every checksum
before CURRENT changes, and that work is not the server's. One JSON document a line for each: the version, and when it
was begun, when CURRENT changed, µs since the epoch.
"""

import argparse
import json
import os
import time
from pathlib import Path

from indexer.current import CURRENT
from indexer.store import Store


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
