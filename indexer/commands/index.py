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
from indexer.choice.told import HEAD, NAMES, ON_SCREEN, is_taken, row
from indexer.commands.store.told import data_size
from indexer.errors import IndexerError, IndexKeyError
from indexer.gatekeeper import Gatekeeper, gate_rows
from indexer.gates import Gates, parse_metric_gate
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


def _metric_gate(text: str) -> str:
    """`text`, which says a gate. Raises ValueError where it does not."""
    parse_metric_gate(text)
    return text


class IndexCommand(Command):
    """Embeddings → a bundle with its indexes, proved, published in a store and made current.

    Nothing is published that finds too few of the true top items, and what was current stays so until the new version
    is whole, on the disk, and verified.
    """

    examples: ClassVar[str] = """
        examples:
          matinee index embeddings store
          matinee index embeddings store --target-recall 0.95 --report index.html
          matinee index embeddings store --no-activate     # publish now, matinee store activate later
          matinee index embeddings store --gate-overlap 0.3 --gate-metric test.rmse:0.01   # each night
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
    report: Path | None = None
    """Also write a page, FILE.html, that draws recall against latency of all that was tried."""
    overwrite: bool = False
    """Replace an earlier report of that name."""
    gate_overlap: float | None = Field(default=None, ge=0, le=1)
    """Publish nothing where users keep less than this share of their ten best items on average, compared with what is
    current; matinee store diff shows the share."""
    gate_metric: list[Annotated[str, AfterValidator(_metric_gate)]] = Field(default=[])
    """NAME:MAX_LOSS, again for another one: publish nothing where this metric of the embeddings, as matinee store diff
    names it, is worse than the current version's by more than that. Of rmse and mae lower is better."""
    no_activate: bool = False
    """Publish, but leave current what is current."""
    wait_s: float = Field(default=0, ge=0)
    """How many seconds to wait where another process is changing the store."""

    def run(self) -> Result:
        """Build, measure, publish; the facts of the new version."""
        if self.report:
            # A server's machine, which has no templates, can build indexes too.
            from training.evaluation.report.html import check_report_place

            check_report_place(self.report, overwrite=self.overwrite)
        store = store_at(self.store, self.wait_s)
        gatekeeper = Gatekeeper(Gates(self.gate_overlap, tuple(map(parse_metric_gate, self.gate_metric))))
        options = BuildOptions(self.index_key, Limits(self.target_recall, self.max_bytes, self.allow_low_recall))
        with progress_console().status("reading the embeddings") as status:
            embeddings = open_embeddings(self.embeddings)
            earlier = None if self.no_reuse else _earlier(store)
            version = store.publish(
                lambda draft: build_bundle(embeddings, draft, options, status.update, earlier),
                activate=not self.no_activate,
                check=gatekeeper.check,
            )
        manifest = store.manifest(version)
        if self.report:
            from indexer.choice.report import write_report

            write_report(self.report, version, manifest, overwrite=self.overwrite)
        facts = {name: manifest[name] for name in _TOLD}
        told = {"version": version, "store": str(self.store), "current": not self.no_activate, **facts}
        return {**told, "gates": gatekeeper.told}

    def show(self, result: Result, console: Console) -> None:
        """What was tried, the facts of the new version, and what to do next."""
        told: Any = result
        for name, index in told["indexes"].items():
            console.print(_tried(name, index, self.target_recall))
        table = Table(show_header=False, box=None)
        table.add_row("version", told["version"])
        table.add_row("users × items", f"{told['n_users']:,} × {told['n_items']:,}")
        table.add_row("scores", told["scores"])
        keys = " and ".join(dict.fromkeys(index["index_key"] for index in told["indexes"].values()))
        table.add_row("index", f"{keys}, {told['width']} columns")
        for name, value in told["recall"].items():
            table.add_row(name, f"{value:.4f}")
        table.add_row("size", data_size(told["bytes"]))
        table.add_row("built in", f"{told['build_s']} s")
        for name, words in gate_rows(told["gates"]):
            table.add_row(name, words)
        if self.report:
            table.add_row("report", str(self.report))
        console.print(table)
        if min(told["recall"].values()) < self.target_recall:
            console.print("[red]it finds fewer than asked for, as --allow-low-recall allows[/red]")
        done = "published and current" if told["current"] else "published, not current"
        then = f"matinee serve {self.store}"
        if not told["current"]:
            then = f"matinee store activate {self.store} {told['version']}"
        console.print(f"{done}; next: {then}", highlight=False, soft_wrap=True)


def _tried(name: str, index: dict[str, Any], target_recall: float) -> Table:
    table = Table(title=NAMES[name], title_justify="left", box=None)
    for column in ON_SCREEN:
        table.add_column(HEAD[column], justify="left" if column in (0, 1, 8) else "right", no_wrap=column == 0)
    for one in index["tried"]:
        cells = row(one, index, target_recall)
        table.add_row(*(cells[column] for column in ON_SCREEN), style="bold" if is_taken(one, index) else "")
    return table


def _earlier(store: AnyStore) -> Bundle | None:
    """What is current, for what can be kept of it; None where nothing sound is."""
    try:
        return store.open_current()
    except IndexerError:
        # It matters to nobody here: what is published next does not depend on it.
        return None
