"""`matinee store diff`."""

from dataclasses import asdict
from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from indexer.bundle import Bundle
from indexer.commands.store.told import StoreCommand, data_size
from indexer.comparison import N_EXAMPLES, N_USERS, K, facts, movement
from indexer.errors import EmptyStoreError, StoreError
from indexer.places import AnyStore, store_at
from indexer.turnover import renewal
from matinee.command import Result
from matinee.settings import progress_console

_KEPT = {"all": f"all {K}", "half": "half or more", "fewer": "fewer", "none": "none"}


class DiffCommand(StoreCommand):
    """Compare two versions before one is activated: users and items, what is recommended, metrics, index, size.

    With one version: what activating it would change. With none: the same of the newest that is not current. How far
    recommendations move is the mean share of the ten best unseen items that users keep, by the model's exact scores.
    """

    examples: ClassVar[str] = """
        examples:
          matinee store diff store                                   # current → the newest that is not current
          matinee store diff store 20261123T214500Z-3f2a9c1b         # current → this one
          matinee store diff store 20261122T214500Z-77d0a1c4 20261123T214500Z-3f2a9c1b
          matinee store diff store --json | jq .movement.overlap
    """

    first: CliPositionalArg[str | None] = None
    """The version to compare; where another one follows, the one to compare that with."""
    second: CliPositionalArg[str | None] = None
    """The version to compare with the first."""
    n_users: int = Field(default=N_USERS, ge=1)
    """How many users' recommendations to compare, of those that are in both versions; always the same ones."""

    def run(self) -> Result:
        """Open both, verified, and compare."""
        store = store_at(self.store)
        old_version, new_version = self._versions(store)
        with progress_console().status("") as status:
            status.update(f"verifying {old_version}")
            old = store.open(old_version)
            status.update(f"verifying {new_version}")
            new = store.open(new_version)
            status.update("comparing who is there")
            renewed = asdict(renewal(old.catalogue, new.catalogue, N_EXAMPLES))
            status.update("comparing what is recommended")
            moved = asdict(movement(old, new, self.n_users))
        return {"old": _told(old), "new": _told(new), **renewed, "movement": moved}

    def show(self, result: Result, console: Console) -> None:
        """Both side by side, who came and went, and what moved."""
        told: Any = result
        for which in ("old", "new"):
            console.print(f"{which}  {told[which]['version']}", highlight=False)
        console.print(_side_by_side(_rows(told["old"]), _rows(told["new"])))
        if told["old"]["scores"] != told["new"]["scores"]:
            console.print(
                f"scores are {told['old']['scores']} in the old one and {told['new']['scores']} in the new one: only"
                " the order of items can be compared, and clients will see other numbers",
                style="red", soft_wrap=True,
            )  # fmt: skip
        for name in ("users", "items"):
            _show_turnover(name, told[name], console)
        console.print(f"of the items in both, {told['titles_changed']:,} have another title and"
                      f" {told['tags_changed']:,} other tags", highlight=False, soft_wrap=True)  # fmt: skip
        _show_movement(told["movement"], console)

    def _versions(self, store: AnyStore) -> tuple[str, str]:
        """The old and the new one."""
        if self.first and self.second:
            return self.first, self.second
        current = store.current()
        if current is None:
            raise EmptyStoreError(self.store)
        others = [version for version in store.versions() if version != current]
        if not self.first and not others:
            raise StoreError(f"{self.store}: {current} is the only version, so there is nothing to compare it with")
        return current, self.first or others[-1]


def _told(bundle: Bundle) -> dict[str, Any]:
    return {"version": bundle.version, **facts(bundle.manifest)}


def _rows(told: dict[str, Any]) -> dict[str, Any]:
    """What is told of one version, by the name of its row."""
    recalls = {f"index {name}": value for name, value in told["recall"].items()}
    single = {name: value for name, value in told.items() if name not in ("version", "recall", "metrics")}
    return {**single, **recalls, **told["metrics"]}


def _side_by_side(old: dict[str, Any], new: dict[str, Any]) -> Table:
    table = Table("", "old", "new", "change", box=None)
    for name in {**old, **new}:
        was, now = old.get(name), new.get(name)
        table.add_row(name, _words(name, was), _words(name, now), _change(name, was, now))
    return table


def _words(name: str, value: object) -> str:
    match value:
        case None:
            return "–"
        case int() if name == "bytes":
            return data_size(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4f}"
    return str(value)[:20]


def _change(name: str, was: object, now: object) -> str:
    match was, now:
        case (int() | float(), int() | float()) if was != now:
            change = now - was
            sign = "+" if change > 0 else "−"
            return sign + _words(name, abs(change))
    return "" if was == now else "changed"


def _show_turnover(name: str, told: dict[str, Any], console: Console) -> None:
    console.print(
        f"\n{name}: {told['shared']:,} in both, {told['came']:,} came, {told['went']:,} went", highlight=False
    )
    for what in ("came", "went"):
        examples = [example["title"] or example["id"] for example in told[f"{what}_examples"]]
        if examples:
            more = ", …" if told[what] > len(examples) else ""
            console.print(f"  {what}: {', '.join(examples)}{more}", highlight=False, markup=False, soft_wrap=True)


def _show_movement(told: dict[str, Any], console: Console) -> None:
    if told["overlap"] is None:
        console.print("\nno user is in both, so what is recommended can't be compared", soft_wrap=True)
        return
    console.print(f"\n{told['n_users']:,} users keep {told['overlap']:.1%} of their {K} best unseen items on average",
                  highlight=False, soft_wrap=True)  # fmt: skip
    kept = Table("kept", "users", box=None)
    for name, words in _KEPT.items():
        kept.add_row(words, f"{told['kept'][name]:,}")
    console.print(kept)
    movers = Table("recommended to", "before", "after", "item", box=None)
    for way, words in (("up", "more"), ("down", "fewer")):
        for mover in told[way]:
            movers.add_row(
                words, f"{mover['before']:,}", f"{mover['after']:,}", escape(mover["title"] or mover["item_id"])
            )
    if movers.row_count:
        console.print(movers)
