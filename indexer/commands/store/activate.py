"""`matinee store activate`."""

from typing import ClassVar

from pydantic_settings import CliPositionalArg
from rich.console import Console

from indexer.commands.store.told import ChangingCommand
from indexer.places import store_at
from matinee.command import Result


class ActivateCommand(ChangingCommand):
    """Make a version the one that is served, after every checksum was verified. It repairs a damaged CURRENT too."""

    examples: ClassVar[str] = """
        examples:
          matinee store activate store 20261123T214500Z-3f2a9c1b
    """

    version: CliPositionalArg[str]
    """As matinee store list shows it."""

    def run(self) -> Result:
        """Verify, then flip CURRENT."""
        store_at(self.store, self.wait_s).activate(self.version)
        return {"current": self.version}

    def show(self, result: Result, console: Console) -> None:
        """What is current."""
        console.print(f"{result['current']} is current", highlight=False)
