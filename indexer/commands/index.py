"""`matinee index`."""

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field
from pydantic_settings import CliPositionalArg
from rich.console import Console
from rich.table import Table

from indexer.build import AUTO, BuildOptions, build_bundle
from indexer.bundle import Bundle
from indexer.choice.decide import Limits
from indexer.commands.store.told import data_size
from indexer.errors import IndexerError, IndexKeyError
from indexer.keys import SPELLINGS, parse_key
from indexer.places import AnyStore, store_at
from matinee.command import Result
from matinee.settings import Command, progress_console
from training.embeddings import open_embeddings

_TOLD = (
    "n_users", "n_items", "dim", "width", "scores", "index_key", "recall", "indexes", "bytes", "build_s",
    "embeddings_sha256",
)  # fmt: skip


def _known(index_key: str) -> str:
    """`index_key`, which is one. Raises ValueError where it is none: that is wrong usage."""
    try:
        return index_key if index_key == AUTO else parse_key(index_key).text
    except IndexKeyError as error:
        raise ValueError(f"this program builds and reads {SPELLINGS}") from error


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
    store: CliPositionalArg[str]
    """The folder of published bundles, made where it does not exist; or the URL of one: s3://BUCKET/PREFIX."""
    target_recall: float = Field(default=0.99, gt=0, le=1)
    """The least recall@10 of each index, measured on the model's own users (with what they have seen left out) and
    items; below it nothing is published."""
    index_key: Annotated[str, AfterValidator(_known)] = AUTO
    """FAISS's factory string, for both indexes: Flat (exact), SQfp16, SQ8, PQ<m>x4fs, IVF<nlist>,<one of these> or
    HNSW<M>, the last two also after "Equalised,". auto builds those that make sense, measures them, and takes the
    fastest that finds enough."""
    max_bytes: int | None = Field(default=None, gt=0)
    """The largest file that one index may be."""
    allow_low_recall: bool = False
    """Publish the index that finds most even where that is below --target-recall."""
    no_reuse: bool = False
    """Choose anew, whatever kind and settings the current version has; for when the vectors have changed a lot."""
    no_activate: bool = False
    """Publish, but leave current what is current."""
    wait_s: float = Field(default=0, ge=0)
    """How many seconds to wait where another process is changing the store."""

    def run(self) -> Result:
        """Build, measure, publish; the facts of the new version."""
        store = store_at(self.store, self.wait_s)
        options = BuildOptions(self.index_key, Limits(self.target_recall, self.max_bytes, self.allow_low_recall))
        with progress_console().status("reading the embeddings") as status:
            embeddings = open_embeddings(self.embeddings)
            earlier = None if self.no_reuse else _earlier(store)
            version = store.publish(
                lambda draft: build_bundle(embeddings, draft, options, status.update, earlier),
                activate=not self.no_activate,
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


def _earlier(store: AnyStore) -> Bundle | None:
    """What is current, for what can be kept of it; None where nothing sound is."""
    try:
        return store.open_current()
    except IndexerError:
        # It matters to nobody here: what is published next does not depend on it.
        return None
