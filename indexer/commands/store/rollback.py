"""`matinee store rollback`."""

from typing import ClassVar

from rich.console import Console

from indexer.commands.store.told import ChangingCommand
from indexer.places import store_at
from matinee.command import Result


class RollbackCommand(ChangingCommand):
    """Go back to the version that was current before. Again: to the one before that.

    The version left is kept; matinee store activate brings it back, or any other.
    """

    examples: ClassVar[str] = """
        examples:
          matinee store rollback store
    """

    def run(self) -> Result:
        """Verify, then flip CURRENT."""
        was, current = store_at(self.store, self.wait_s).rollback()
        return {"was": was, "current": current}

    def show(self, result: Result, console: Console) -> None:
        """What is current, and how to undo it."""
        console.print(f"{result['current']} is current; before it was {result['was']}", highlight=False, soft_wrap=True)
        console.print(f"undo: matinee store activate {self.store} {result['was']}", highlight=False, soft_wrap=True)
