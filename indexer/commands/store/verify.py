"""`matinee store verify`."""

from typing import Any, ClassVar

from pydantic_settings import CliPositionalArg
from rich.console import Console

from indexer.commands.store.told import StoreCommand
from indexer.errors import BundleError, DamagedVersionsError, EmptyStoreError
from indexer.places import store_at
from matinee.command import Result
from matinee.settings import progress_console


class VerifyCommand(StoreCommand):
    """Check every checksum of one version, or of all. Exit status 1 where one does not fit."""

    examples: ClassVar[str] = """
        examples:
          matinee store verify store
          matinee store verify store 20261123T214500Z-3f2a9c1b
    """

    version: CliPositionalArg[str | None] = None
    """All versions where it is left out."""

    def run(self) -> Result:
        """The versions that are whole. Raises DamagedVersionsError naming those that are not."""
        store = store_at(self.store)
        versions = [self.version] if self.version else store.versions()
        if not versions:
            raise EmptyStoreError(self.store)
        damage = {}
        with progress_console().status("") as status:
            for version in versions:
                status.update(f"verifying {version}")
                try:
                    store.verify(version)
                except BundleError as error:
                    damage[version] = str(error)
        if damage:
            raise DamagedVersionsError(self.store, damage)
        return {"whole": versions, "current": store.current()}

    def show(self, result: Result, console: Console) -> None:
        """One line a version."""
        whole: Any = result["whole"]
        for version in whole:
            console.print(f"{version}  whole", highlight=False)
