"""Any model's vectors, from its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import ImportingError
from training.importing.assembly import Model, Side, no_biases, numbered
from training.importing.ids import GivenIds, read_ids, sorted_ids
from training.importing.parquet import ParquetVectors, VectorColumns
from training.importing.vectors import ArrayVectors, Vectors, placed, placed_biases


@dataclass(frozen=True)
class SideFiles:
    """Where the users of a model lie, or its items."""

    kind: str
    """user or item."""
    vectors: Path
    biases: Path | None = None
    ids: Path | None = None


def read_model(users: SideFiles, items: SideFiles, columns: VectorColumns, global_bias: float) -> Model:
    """The model in these files, its rows in the order of their ids.

    Raises ImportingError, or ArtefactError where a `.npy` is none, naming the file, and the row where one is at fault.
    """
    user_vectors, item_vectors = (_opened(side.vectors, columns) for side in (users, items))
    if user_vectors.dim != item_vectors.dim:
        raise ImportingError(
            f"{users.vectors}: its vectors are {user_vectors.dim} wide, those in {items.vectors} {item_vectors.dim};"
            " users and items need the same"
        )
    # The smaller first: what is wrong with the items is said before the users are read.
    item_side = _side(items, item_vectors)
    return Model(_side(users, user_vectors), item_side, global_bias)


def _opened(file: Path, columns: VectorColumns) -> Vectors:
    if not file.is_file():
        raise ImportingError(f"{file}: no such file; give the vectors as .npy or .parquet")
    if file.suffix == ".npy":
        return ArrayVectors(file)
    if file.suffix == ".parquet":
        return ParquetVectors(file, columns)
    raise ImportingError(f"{file}: vectors come as .npy or .parquet")


def _side(files: SideFiles, vectors: Vectors) -> Side:
    given = vectors.ids() if files.ids is None else read_ids(files.ids)
    if given is None:
        ids, rows = numbered(vectors.n)
    else:
        _check_number(files, given, vectors.n)
        ids, rows = sorted_ids(given, files.ids or files.vectors, files.kind)
    biases = no_biases(vectors.n) if files.biases is None else placed_biases(files.biases, vectors.n, rows)
    return Side(ids, placed(vectors, rows), biases)


def _check_number(files: SideFiles, given: GivenIds | Sequence[str], n: int) -> None:
    if len(given) != n:
        first = f"; the first is {str(given[0])[:80]!r}: is it a heading?" if len(given) == n + 1 else ""
        raise ImportingError(f"{files.ids}: has {len(given):,} ids, and {files.vectors} {n:,} vectors{first}")
