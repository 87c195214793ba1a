"""One process that meets one fault at one system call, and what must be true of the store afterwards."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from indexer.__main__ import main
from indexer.bundle import Bundle
from indexer.errors import BundleError
from indexer.store import Store
from matinee.errors import MatineeError
from tests.indexer.calls import Call
from tests.indexer.scenarios import STORE, Scenario, State
from tests.indexer.supervised import in_child, supervised
from tests.indexer.unsynced import Unsynced

KILLED, DONE, DONE_OR_TOLD = "killed", "done", "done, or not and told in one sentence"


@dataclass(frozen=True)
class Fault:
    """Something that happens when a process has come to a call."""

    name: str
    strike: Callable[["Meeting", Call], None]
    ends: str
    """How the process ends: KILLED, DONE or DONE_OR_TOLD."""
    applies: Callable[[Call], bool] = lambda _: True
    """To which calls."""
    is_lasting: bool = False
    """Whether it strikes at all that follow, too."""
    leaves_nothing: bool = False
    """Whether the process can clear away what it has begun."""
    loses: Callable[[Unsynced], None] | None = None
    """What is lost with the process; that can happen after its end, too."""
    needs_rival: bool = False
    """Whether it needs a scenario that has one."""


@dataclass(frozen=True)
class Course:
    """What a store holds before a command, after it, and after the same command again."""

    before: State
    after: State
    again: State


class Place:
    """Where the processes of one scenario run, one after the other: `store` is what they change."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self.scenario, self.store = scenario, Store(folder / "store")
        self.aside, self.output = folder / "aside", folder / "output"
        self.aside.mkdir()

    def course(self) -> Course:
        """What the store goes through where nothing happens."""
        self.reset()
        before = State.of(self.store)
        opened = self.opened()
        assert self.run(self.scenario.arguments) == 0, self.output.read_text()
        opened.clear()
        after = State.of(self.store)
        assert after.current == self.scenario.serves
        assert after != before
        assert self.run(self.scenario.arguments) == 0, self.output.read_text()
        return Course(before, after, State.of(self.store))

    def reset(self) -> None:
        """Make the store what it was before."""
        shutil.rmtree(self.store.folder, ignore_errors=True)
        if self.scenario.before.exists():
            shutil.copytree(self.scenario.before, self.store.folder)

    def opened(self) -> list[Bundle]:
        """What the process that reads has open, where the scenario has one: the oldest version."""
        return [self.store.open(self.store.versions()[0])] if self.scenario.is_read else []

    def work(self, arguments: list[str]) -> int:
        """What a process does."""
        return main([str(self.store.folder) if argument == STORE else argument for argument in arguments])

    def run(self, arguments: list[str], output: Path | None = None) -> int:
        """The exit status of a process that nothing happens to."""

        def work() -> int:
            os.fsync = _no_wait
            return self.work(arguments)

        return os.waitstatus_to_exitcode(in_child(work, output or self.output))

    def leftovers(self) -> set[Path]:
        """What killed processes left: such names begin with a dot."""
        return set(self.store.folder.glob("**/.*"))

    def holds(self, path: str) -> bool:
        """Whether a call about `path` is one about the store; one that names nothing may be."""
        return not path or Path(path).is_relative_to(self.store.folder)


def _no_wait(fd: object) -> None:
    """Syncing takes time and changes nothing that a process can see."""


class Meeting:
    """One process, one fault, from the call of number `at` on, counted from 1 among those that it applies to."""

    def __init__(self, place: Place, course: Course, fault: Fault, at: int) -> None:
        self.place, self.course, self.fault, self.at = place, course, fault, at
        self.n_calls, self.is_first = 0, True
        self.struck_at = ""
        self.unsynced = Unsynced(place.store.folder, place.aside)
        self.rivals: Counter[str] = Counter()
        self.opened: list[Bundle] = []

    def happens(self) -> bool:
        """Run it and prove all that must be true afterwards; False where the process came to its end before `at`.

        Raises AssertionError, saying where, at the first that is not.
        """
        self.place.reset()
        left_before = self.place.leftovers()
        self.opened = self.place.opened()
        ended = supervised(lambda: self.place.work(self.place.scenario.arguments), self.place.output, self.decide)
        told = self.place.output.read_text()
        try:
            if self.fault.loses:
                self.fault.loses(self.unsynced)
            self._prove_end(ended, told)
            self._prove_sound(is_done=ended == 0)
            assert not self.fault.leaves_nothing or self.place.leftovers() <= left_before
            self._prove_readers()
            self._prove_second_run()
        except (AssertionError, MatineeError) as error:
            where = f"{self.place.scenario.name}, {self.fault.name} at call {self.at}, {self.struck_at or 'the end'}"
            raise AssertionError(f"{where}: {error!r}; it told: {told}") from error
        return bool(self.struck_at)

    def decide(self, call: Call) -> None:
        """What comes of `call`."""
        if not self.place.holds(call.path):
            call.go_on()
            return
        applies = self.fault.applies(call)
        self.n_calls += applies
        if applies and (self.n_calls == self.at or (self.n_calls > self.at and self.fault.is_lasting)):
            self.is_first = not self.struck_at
            self.struck_at = self.struck_at or f"{call.name} {call.path}"
            self.fault.strike(self, call)
        else:
            self.let(call)

    def let(self, call: Call) -> None:
        """It is made; but syncing takes time, and changes nothing that a process can see."""
        if self.fault.loses:
            self.unsynced.see(call)
        if call.is_sync:
            call.skip()
        else:
            call.go_on()

    def let_rival_publish(self) -> None:
        """Another process does, to its end, or is refused since this one is changing the store."""
        rival = self.place.scenario.rival
        assert rival
        told = self.place.aside / "rival"
        if self.place.run(rival.arguments, told) == 0:
            self.rivals[rival.serves] += 1
        else:
            assert "is changing it" in told.read_text()

    def let_reader_open(self) -> None:
        """Another process opens every version there is; what is current can always be opened."""
        store = self.place.store
        for version in store.versions():
            try:
                self.opened.append(store.open(version))
            except BundleError:
                # Who removes it has it to itself.
                assert self.place.scenario.removes
                assert version != store.current()

    def _prove_end(self, ended: int, told: str) -> None:
        """The process came to the end that the fault brings about."""
        ends = self.fault.ends if self.struck_at else DONE
        if ends == KILLED:
            assert os.WIFSIGNALED(ended)
        elif ends == DONE or os.waitstatus_to_exitcode(ended) != 1:
            assert os.waitstatus_to_exitcode(ended) == 0
        else:
            assert told.strip().splitlines()[-1].startswith("matinee: ")
            assert "Traceback" not in told

    def _prove_sound(self, *, is_done: bool) -> None:
        """The old or the new is current and whole, so is every other version, and nothing half-made can be opened."""
        before, after, now = self.course.before, self.course.after, State.of(self.place.store)
        assert now.current in {before.current, after.current, *self.rivals}
        assert before.versions & after.versions <= now.versions
        assert now.versions <= (before.versions | after.versions) + self.rivals
        if is_done:
            assert now.current == after.current
            assert now.versions == after.versions + self.rivals or self.opened

    def _prove_readers(self) -> None:
        """What is open stays whole, until its readers let go of it."""
        for bundle in self.opened:
            self.place.store.verify(bundle.version)
        self.opened.clear()

    def _prove_second_run(self) -> None:
        """The same command succeeds, and clears away what was left."""
        before, after, again = self.course.before, self.course.after, self.course.again
        assert self.place.run(self.place.scenario.arguments) == 0, self.place.output.read_text()
        now = State.of(self.place.store)
        assert now.current in {after.current, again.current}
        assert after.versions & again.versions <= now.versions
        assert now.versions.keys() <= (before.versions | after.versions | self.rivals).keys()
        assert self.place.leftovers() == set()
