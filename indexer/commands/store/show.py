"""`matinee store show`."""

from typing import Any, ClassVar

from pydantic_settings import CliPositionalArg
from rich.console import Console
from rich.table import Table

from indexer.commands.store.told import StoreCommand, data_size
from indexer.errors import EmptyStoreError
from indexer.places import store_at
from matinee.command import Result


class ShowCommand(StoreCommand):
    """Show all that a version's manifest says: counts, index, recall, how it was trained, files and checksums."""

    examples: ClassVar[str] = """
        examples:
          matinee store show store                                # what is current
          matinee store show store 20261123T214500Z-3f2a9c1b
    """

    version: CliPositionalArg[str | None] = None
    """The current one where it is left out."""

    def run(self) -> Result:
        """The manifest, proved whole, and the version that it is of."""
        store = store_at(self.store)
        version = self.version or store.current()
        if version is None:
            raise EmptyStoreError(self.store)
        return {"version": version, **store.manifest(version)}

    def show(self, result: Result, console: Console) -> None:
        """One row a fact, one a file."""
        files: Any = result["files"]
        facts = {name: value for name, value in result.items() if name != "files"}
        table = Table("", "", show_header=False, box=None)
        table.columns[1].overflow = "fold"
        for name, value in facts.items():
            table.add_row(name, _words(value))
        for name, file in files.items():
            table.add_row(name, f"{data_size(file['bytes']):>8}  sha256 {file['sha256'][:16]}…")
        console.print(table)


def _words(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{name} {_words(inner)}" for name, inner in value.items())
        case [dict(), *_]:
            # Such as the figures of every epoch: --json has them.
            return f"({len(value)} entries)"
        case float():
            return f"{value:g}"
    return str(value)
