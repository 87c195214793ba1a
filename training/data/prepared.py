"""The format of prepared ratings: a folder of arrays that opens at once, as large as it may be.

`user_rows.npy` and `item_rows.npy` int32, `values.npy` float32 and, where there are times, `timestamps.npy` int64, in
the order of the file that they came from, so that the same split holds out the same ratings; ids, titles and tags as
the embeddings have them; and a manifest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.artefact import (
    MANIFEST,
    Manifest,
    check_array,
    check_count,
    load_arrays,
    read_manifest,
    save_arrays,
    seal,
    verify_files,
)
from training.columns import Arrays, Ids, Ragged, Strings
from training.data.by_user import pieces
from training.data.forms import DETECTED, Columns
from training.data.table import Ratings
from training.errors import ArtefactError, RatingsError

KIND = "matinee-ratings"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class OnDisk:
    """A `Store` whose arrays are mapped files in `folder`."""

    folder: Path

    def __call__(self, name: str, dtype: type[np.generic], n: int, columns: Iterable[NDArray[Any]]) -> NDArray[Any]:
        """Write the array (n,) that `columns` make up; what an earlier array of this name holds stays mapped."""
        path, draft = self.folder / f"{name}.npy", self.folder / f"{name}.draft"
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (n,)}
        with draft.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for column in columns:
                file.write(np.ascontiguousarray(column, dtype).data)
        draft.replace(path)
        return np.asarray(np.lib.format.open_memmap(path, mode="r"))


def is_prepared(source: Path) -> bool:
    """Whether `source` is a folder of this format, be it damaged."""
    return (source / MANIFEST).is_file() and (source / "user_rows.npy").is_file()


def seal_prepared(ratings: Ratings, folder: Path, source: Path) -> Manifest:
    """Make `folder`, in which the large arrays of `ratings` lie, prepared ratings; the manifest."""
    save_arrays(
        folder,
        {
            **ratings.user_ids.to_arrays("user_ids"),
            **ratings.item_ids.to_arrays("item_ids"),
            **ratings.item_titles.to_arrays("item_titles"),
            **ratings.item_tags.to_arrays("item_tags"),
            **ratings.tag_names.to_arrays("tag_names"),
        },
    )
    description = {
        "n_ratings": len(ratings),
        "n_users": ratings.n_users,
        "n_items": ratings.n_items,
        "n_repeated": ratings.n_repeated,
        "remarks": list(ratings.remarks),
        "source": source.name,
        "data_fingerprint": ratings.fingerprint,
    }
    return seal(folder, KIND, FORMAT_VERSION, description)


def open_prepared(folder: Path, columns: Columns = DETECTED) -> Ratings:
    """The ratings in `folder`, verified, memory-mapped and read-only.

    Raises RatingsError where `columns` ask for others than were found when it was prepared, ArtefactError, naming the
    file, where anything is missing, damaged, foreign or does not fit together.
    """
    if columns != DETECTED:
        raise RatingsError(
            f"{folder}: was prepared, and that fixed which column is what; leave the flags for columns and titles out, "
            "or give them to matinee prepare"
        )
    manifest = read_manifest(folder, KIND, FORMAT_VERSION)
    verify_files(folder, manifest)
    try:
        return _read(load_arrays(folder, manifest), manifest)
    except KeyError as error:
        raise ArtefactError(f"{folder}: {error.args[0]}.npy: missing from the manifest") from error
    except ArtefactError as error:
        raise ArtefactError(f"{folder}: {error}") from error


def _read(arrays: Arrays, manifest: Manifest) -> Ratings:
    n, n_users, n_items = (check_count(manifest, name) for name in ("n_ratings", "n_users", "n_items"))
    values = check_array(arrays, "values", np.float32, (n,))
    if not all(np.isfinite(values[piece]).all() for piece in pieces(n)):
        raise ArtefactError("values.npy: holds NaN or infinity")
    tag_names = Strings.from_arrays(arrays, "tag_names")
    ratings = Ratings(
        user_rows=_rows(arrays, "user_rows", n, n_users),
        item_rows=_rows(arrays, "item_rows", n, n_items),
        values=values,
        timestamps=check_array(arrays, "timestamps", np.int64, (n,)) if "timestamps" in arrays else None,
        user_ids=Ids.from_arrays(arrays, "user_ids"),
        item_ids=Ids.from_arrays(arrays, "item_ids"),
        item_titles=Strings.from_arrays(arrays, "item_titles"),
        item_tags=Ragged.from_arrays(arrays, "item_tags", bound=len(tag_names)),
        tag_names=tag_names,
        n_repeated=_n_repeated(manifest),
        remarks=_remarks(manifest),
    )
    for name, column, expected in (
        ("user_ids", ratings.user_ids, n_users),
        ("item_ids", ratings.item_ids, n_items),
        ("item_titles", ratings.item_titles, n_items),
        ("item_tags", ratings.item_tags, n_items),
    ):
        if len(column) != expected:
            raise ArtefactError(f"{name}: has {len(column)} entries, the manifest says {expected}")
    return ratings


def _rows(arrays: Arrays, name: str, n: int, bound: int) -> NDArray[np.int32]:
    rows = check_array(arrays, name, np.int32, (n,))
    for piece in pieces(n):
        if rows[piece].min() < 0 or rows[piece].max() >= bound:
            raise ArtefactError(f"{name}.npy: holds rows outside 0 … {bound - 1}")
    return rows


def _n_repeated(manifest: Manifest) -> int:
    value = manifest.get("n_repeated")
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ArtefactError(f"n_repeated is {value!r} in the manifest; it must be a whole number from 0")
    return value


def _remarks(manifest: Manifest) -> tuple[str, ...]:
    value = manifest.get("remarks")
    if not isinstance(value, list) or not all(isinstance(remark, str) for remark in value):
        raise ArtefactError(f"remarks is {value!r} in the manifest; it must be a list of texts")
    return tuple(value)
