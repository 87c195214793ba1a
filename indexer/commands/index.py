"""`matinee index`."""

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg
from rich.console import Console
from rich.table import Table

from indexer.build import BuildOptions, build_bundle
from indexer.commands.store.told import data_size
from indexer.store import Store
from matinee.command import Result
from matinee.settings import Command, progress_console
from training.embeddings import open_embeddings

_TOLD = ("n_users", "n_items", "dim", "width", "scores", "index_key", "recall", "bytes", "build_s", "embeddings_sha256")


class IndexCommand(Command):
    """Embeddings → a bundle with its indexes, proved, published in a store and made current.

    Nothing is published that finds too few of the true top items, and what was current stays so until the new version
    is whole, on the disk, and verified.
    """

    examples: ClassVar[str] = """
        examples:
          matinee index embeddings store
          matinee index embeddings store --no-activate     # publish now, matinee store activate later
    """

    embeddings: CliPositionalArg[Path]
    """What matinee train wrote."""
    store: CliPositionalArg[Path]
    """The folder of published bundles; made where it does not exist."""
    target_recall: float = Field(default=0.99, gt=0, le=1)
    """The least recall@10 of each index, measured on the model's own users and items; below it nothing is published."""
    index_key: Literal["auto", "Flat"] = "auto"
    """FAISS's factory string; auto chooses. Flat is exact."""
    no_activate: bool = False
    """Publish, but leave current what is current."""
    wait_s: float = Field(default=0, ge=0)
    """How many seconds to wait where another process is changing the store."""

    def run(self) -> Result:
        """Build, measure, publish; the facts of the new version."""
        store = Store(self.store, self.wait_s)
        options = BuildOptions("Flat" if self.index_key == "auto" else self.index_key, self.target_recall)
        with progress_console().status("reading the embeddings") as status:
            embeddings = open_embeddings(self.embeddings)
            version = store.publish(
                lambda draft: build_bundle(embeddings, draft, options, status.update), activate=not self.no_activate
            )
        manifest = store.manifest(version)
        facts = {name: manifest[name] for name in _TOLD}
        return {"version": version, "store": str(self.store), "current": not self.no_activate, **facts}

    def show(self, result: Result, console: Console) -> None:
        """The facts of the new version, and what to do next."""
        recall: Any = result["recall"]
        table = Table(show_header=False, box=None)
        table.add_row("version", str(result["version"]))
        table.add_row("users × items", f"{result['n_users']:,} × {result['n_items']:,}")
        table.add_row("scores", str(result["scores"]))
        table.add_row("index", f"{result['index_key']}, {result['width']} columns")
        for name, value in recall.items():
            table.add_row(name, f"{value:.4f}")
        table.add_row("size", data_size(int(str(result["bytes"]))))
        table.add_row("built in", f"{result['build_s']} s")
        console.print(table)
        done = "published and current" if result["current"] else "published, not current"
        then = f"matinee serve {self.store}"
        if not result["current"]:
            then = f"matinee store activate {self.store} {result['version']}"
        console.print(f"{done}; next: {then}", highlight=False, soft_wrap=True)
