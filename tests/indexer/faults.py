"""Kills the commands that change a store at every system call, and makes each of these fail.

The commands run as real processes. Each call that can change files is a point: opening for writing, writing, syncing,
renaming, removing, locking, … The kernel stops the process there; then it is killed, or told that the call has failed,
or let go on after something else has happened. After each, the store must be sound, and the same command must succeed.

Prints a table, and the number of points as its last line.
"""

import argparse
import errno
import gc
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import faiss
from rich.console import Console
from rich.table import Table

from tests.indexer.calls import Call
from tests.indexer.meeting import DONE, DONE_OR_TOLD, KILLED, Course, Fault, Meeting, Place
from tests.indexer.scenarios import Scenario, scenarios
from tests.indexer.supervised import supervised
from tests.indexer.unsynced import Unsynced

NOT_PERMITTED = 3
"""The exit status where the system does not let processes be stopped."""


def _kill(_: Meeting, call: Call) -> None:
    call.kill()


def _kill_halfway(_: Meeting, call: Call) -> None:
    call.write_half()
    call.kill()


def _no_space(_: Meeting, call: Call) -> None:
    call.fail(errno.ENOSPC)


def _fill_disk(meeting: Meeting, call: Call) -> None:
    if meeting.is_first and call.has_halves():
        call.skip(call.write_half())
    else:
        call.fail(errno.ENOSPC)


def _fail(_: Meeting, call: Call) -> None:
    call.fail(errno.EIO)


def _let_publish(meeting: Meeting, call: Call) -> None:
    meeting.let_rival_publish()
    meeting.let(call)


def _let_publish_and_kill(meeting: Meeting, call: Call) -> None:
    meeting.let_rival_publish()
    call.kill()


def _let_open(meeting: Meeting, call: Call) -> None:
    meeting.let_reader_open()
    meeting.let(call)


FAULTS = (
    Fault("killed", _kill, KILLED),
    Fault("killed halfway through a write", _kill_halfway, KILLED, Call.has_halves),
    Fault("power cut, unsynced bytes lost", _kill, KILLED, loses=Unsynced.lose_bytes),
    Fault("power cut, an unsynced rename lost", _kill, KILLED, loses=Unsynced.lose_rename),
    Fault("ENOSPC", _no_space, DONE_OR_TOLD),
    Fault("disk full from there on", _fill_disk, DONE_OR_TOLD, Call.needs_space, True, leaves_nothing=True),
    Fault("EIO", _fail, DONE_OR_TOLD),
    Fault("EIO from there on", _fail, DONE_OR_TOLD, is_lasting=True),
    Fault("a reader opens all", _let_open, DONE),
    Fault("another publishes", _let_publish, DONE, needs_rival=True),
    Fault("another publishes, this one killed", _let_publish_and_kill, KILLED, needs_rival=True),
)


def run(place: Place, course: Course, fault_name: str, calls: Iterable[int]) -> int:
    """One point at each of the `calls` that the command comes to; how many. Raises AssertionError where one fails."""
    fault = next(fault for fault in FAULTS if fault.name == fault_name)
    n_points = 0
    for at in calls:
        if not Meeting(place, course, fault, at).happens():
            break
        n_points += 1
    # After its end, too, something can be lost.
    return n_points + (fault.loses is not None)


def run_all(folder: Path, every: int, only: str | None) -> dict[str, dict[str, int]]:
    """The number of points by scenario and fault. Raises AssertionError at the first that did not pass."""
    fork = multiprocessing.get_context("fork")
    chosen = [scenario for scenario in scenarios(folder) if only in (None, scenario.name)]
    courses = [(scenario, place_in(folder, scenario).course()) for scenario in chosen]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=fork) as pool:
        jobs: dict[tuple[str, str], Future[int]] = {}
        for scenario, course in courses:
            step = 1 if scenario.is_shortest else every
            for fault in FAULTS:
                if scenario.rival or not fault.needs_rival:
                    calls = itertools.count(1 + len(jobs) % step, step)
                    place = place_in(folder, scenario)
                    jobs[scenario.name, fault.name] = pool.submit(run, place, course, fault.name, calls)
        points: dict[str, dict[str, int]] = {scenario.name: {} for scenario, _ in courses}
        try:
            for (scenario_name, fault_name), job in jobs.items():
                points[scenario_name][fault_name] = job.result()
                print(f"{scenario_name}: {fault_name}: {job.result()} passed", file=sys.stderr)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return points


def place_in(folder: Path, scenario: Scenario) -> Place:
    """A new one."""
    return Place(Path(tempfile.mkdtemp(dir=folder)), scenario)


def main() -> None:
    """Count, and say how many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="only every N-th point, but all of the shortest command"
    )
    parser.add_argument("--only", metavar="COMMAND", help="only this column of the table, such as activate")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    # Collecting would write to every page that the processes share.
    gc.freeze()
    gc.disable()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="matinee-faults-") as folder:
        try:
            supervised(lambda: 0, Path(folder) / "output", lambda call: call.go_on())
        except OSError as error:
            print(f"faults: {error.strerror}; run it where that is permitted", file=sys.stderr)
            sys.exit(NOT_PERMITTED)
        points = run_all(Path(folder), options.every, options.only)
    table = Table("fault", *points, title="injection points, all passed")
    for fault in FAULTS:
        table.add_row(fault.name, *(str(counts.get(fault.name, "")) for counts in points.values()))
    Console(stderr=True, width=140).print(table)
    total = sum(sum(counts.values()) for counts in points.values())
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({"injection_points": total, "every": options.every, "seconds": seconds, "points": points}))


if __name__ == "__main__":
    main()
