"""`matinee store prune`."""

from typing import Any, ClassVar

from pydantic import Field
from rich.console import Console

from indexer.commands.store.told import ChangingCommand
from indexer.places import store_at
from matinee.command import Result


class PruneCommand(ChangingCommand):
    """Remove old versions. What is current, and what a process on this machine has open, is never removed."""

    examples: ClassVar[str] = """
        examples:
          matinee store prune store              # keeps the newest three, and what is current
          matinee store prune store --keep 1
    """

    keep: int = Field(default=3, ge=1)
    """How many of the newest versions to keep, besides what is current; from 2 on, also what rollback goes back to."""

    def run(self) -> Result:
        """Remove; what went, what stayed since a process has it open, and what is left."""
        store = store_at(self.store, self.wait_s)
        removed, in_use = store.prune(self.keep)
        return {"removed": removed, "in_use": in_use, "versions": store.versions()}

    def show(self, result: Result, console: Console) -> None:
        """One line a version that went or stayed, and how many are left."""
        told: Any = result
        for version in told["removed"]:
            console.print(f"{version}  removed", highlight=False)
        for version in told["in_use"]:
            console.print(f"{version}  stays: a process has it open", highlight=False)
        console.print(f"{len(told['versions'])} left", highlight=False)
