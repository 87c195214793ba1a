"""`matinee store list`."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from rich.console import Console
from rich.table import Table

from indexer.commands.store.told import StoreCommand, age, data_size
from indexer.errors import BundleError, CurrentError, EmptyStoreError
from indexer.places import AnyStore, store_at
from indexer.versions import published_at
from matinee.command import Result
from matinee.settings import progress_console

_TOLD = ("n_users", "n_items", "index_key", "recall", "bytes")


class ListCommand(StoreCommand):
    """List the versions of a store, oldest first, with what is known of each and which is current.

    serving? is yes where a process has the version open, as a server has; ? where this system can't tell.
    """

    examples: ClassVar[str] = """
        examples:
          matinee store list store
          matinee store list store --json | jq -r .current
    """

    def run(self) -> Result:
        """The versions and the current one. A damaged manifest or CURRENT is told, and the rest listed."""
        store = store_at(self.store)
        versions = store.versions()
        if not versions:
            raise EmptyStoreError(self.store)
        current = _current(store)
        return {"current": current, "versions": [_summary(store, version, current) for version in versions]}

    def show(self, result: Result, console: Console) -> None:
        """One row a version."""
        table = Table(box=None, pad_edge=False)
        for name in ("version", "age", "items", "index", "recall", "size", "serving?", ""):
            # On a narrow screen the index has two lines rather than the version none that can be copied.
            table.add_column(name, no_wrap=name != "index", overflow="fold")
        versions: Any = result["versions"]
        for summary in versions:
            table.add_row(*_row(summary))
        console.print(table)


def _current(store: AnyStore) -> str | None:
    try:
        return store.current()
    except CurrentError as error:
        progress_console().print(str(error), style="red", highlight=False, soft_wrap=True)
        return None


def _summary(store: AnyStore, version: str, current: str | None) -> dict[str, Any]:
    published = published_at(version)
    summary: dict[str, Any] = {
        "version": version,
        "published": published.isoformat(),
        "age_s": (datetime.now(UTC) - published).total_seconds(),
        "current": version == current,
        "serving": store.is_open(version),
    }
    try:
        manifest = store.manifest(version)
    except BundleError as error:
        return summary | {"error": str(error)}
    return summary | {name: manifest.get(name) for name in _TOLD}


def _row(summary: dict[str, Any]) -> list[str]:
    mark = "current" if summary["current"] else ""
    serving = {True: "yes", False: "no", None: "?"}[summary["serving"]]
    if "error" in summary:
        return [summary["version"], age(summary["age_s"]), "", "", "", "", serving, f"{mark} damaged".strip()]
    return [
        summary["version"],
        age(summary["age_s"]),
        f"{summary['n_items']:,}",
        summary["index_key"],
        f"{min(summary['recall'].values()):.4f}",
        data_size(summary["bytes"]),
        serving,
        mark,
    ]
