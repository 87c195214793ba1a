"""The embeddings folder: what training writes, and all that the rooms after it know of training.

    rating(u, i) = global_bias + user_biases[u] + item_biases[i] + user_embeddings[u] · item_embeddings[i]

A model fit to rank has the same arrays with biases of 0; what the formula gives is then a preference and no rating. The
manifest's "scores" says which: "ratings" or "preferences".

Reading it needs NumPy alone. `docs` of the format: the table of arrays in `Embeddings` and `Catalogue`; no pickle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.artefact import (
    Manifest,
    check_array,
    check_count,
    check_number,
    load_arrays,
    read_manifest,
    save_arrays,
    verify_files,
    write_artefact,
)
from training.columns import Arrays, Ids, Ragged, Strings
from training.errors import ArtefactError

KIND = "matinee-embeddings"
FORMAT_VERSION = 1
RATINGS, PREFERENCES = "ratings", "preferences"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Catalogue:
    """Who the rows are: carried unchanged from training to the server."""

    user_ids: Ids
    """Of each user row."""
    item_ids: Ids
    """Of each item row."""
    seen: Ragged
    """For each user row the item rows that the user has rated, ascending."""
    item_titles: Strings
    """Of each item row; empty where the data had none."""
    item_tags: Ragged
    """For each item row the rows of its tags in `tag_names`, in the data's order."""
    tag_names: Strings
    """Such as genres."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays that `from_arrays` reads, by file name without `.npy`."""
        return {
            **self.user_ids.to_arrays("user_ids"),
            **self.item_ids.to_arrays("item_ids"),
            **self.seen.to_arrays("seen"),
            **self.item_titles.to_arrays("item_titles"),
            **self.item_tags.to_arrays("item_tags"),
            **self.tag_names.to_arrays("tag_names"),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, n_users: int, n_items: int, *, is_proved: bool = False) -> "Catalogue":
        """The catalogue that `arrays` hold, read through unless `is_proved`.

        Raises ArtefactError where one is missing or does not fit the counts.
        """
        strings = partial(Strings.from_arrays, arrays, is_proved=is_proved)
        ragged = partial(Ragged.from_arrays, arrays, is_proved=is_proved)
        ids = partial(Ids.from_arrays, arrays, is_proved=is_proved)
        try:
            tag_names = strings("tag_names")
            catalogue = cls(
                user_ids=ids("user_ids"),
                item_ids=ids("item_ids"),
                seen=ragged("seen", bound=n_items),
                item_titles=strings("item_titles"),
                item_tags=ragged("item_tags", bound=len(tag_names)),
                tag_names=tag_names,
            )
        except KeyError as error:
            raise ArtefactError(f"{error.args[0]}.npy: missing from the manifest") from error
        for name, length, expected in (
            ("user_ids", len(catalogue.user_ids), n_users),
            ("item_ids", len(catalogue.item_ids), n_items),
            ("seen", len(catalogue.seen), n_users),
            ("item_titles", len(catalogue.item_titles), n_items),
            ("item_tags", len(catalogue.item_tags), n_items),
        ):
            if length != expected:
                raise ArtefactError(f"{name}: has {length} entries, the manifest says {expected}")
        return catalogue


@dataclass(frozen=True)
class Baseline:
    """Biases alone, fitted to the same ratings: what a model has to beat.

        rating(u, i) = global_bias + user_biases[u] + item_biases[i]

    Stored as `baseline_user_biases.npy`, `baseline_item_biases.npy` and `baseline_global_bias` in the manifest.
    """

    user_biases: Floats
    """(n_users,)."""
    item_biases: Floats
    """(n_items,)."""
    global_bias: float
    """The mean rating."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays that `from_arrays` reads, by file name without `.npy`."""
        return {"baseline_user_biases": self.user_biases, "baseline_item_biases": self.item_biases}

    @classmethod
    def from_arrays(cls, arrays: Arrays, manifest: Mapping[str, Any]) -> "Baseline | None":
        """The baseline, or None where none was written. Raises ArtefactError where it does not fit the counts."""
        if "baseline_global_bias" not in manifest:
            return None
        return cls(
            _finite(arrays, "baseline_user_biases", (check_count(manifest, "n_users"),)),
            _finite(arrays, "baseline_item_biases", (check_count(manifest, "n_items"),)),
            check_number(manifest, "baseline_global_bias"),
        )


@dataclass(frozen=True)
class Embeddings:
    """A trained model as arrays, all float32: its scores as in the head of this module."""

    user_embeddings: Floats
    """(n_users, dim)."""
    item_embeddings: Floats
    """(n_items, dim)."""
    user_biases: Floats
    """(n_users,)."""
    item_biases: Floats
    """(n_items,)."""
    global_bias: float
    """Added to every score."""
    catalogue: Catalogue
    """Who the rows are."""
    baseline: Baseline | None = None
    """For `matinee evaluate`; None where no ratings were at hand, as after an import."""
    description: Mapping[str, Any] = field(default_factory=dict)
    """How it came about: rating_scale, objective, scores, config, metrics, data_fingerprint, libraries."""
    content_sha256: str = ""
    """Of the manifest that it was read from, so of every file; empty where it was never written."""

    @property
    def n_users(self) -> int:
        """How many users the model was trained on."""
        return len(self.user_biases)

    @property
    def n_items(self) -> int:
        """How many items the model was trained on."""
        return len(self.item_biases)

    @property
    def dim(self) -> int:
        """The width of the embeddings."""
        return int(self.item_embeddings.shape[1])

    @property
    def scores_are_ratings(self) -> bool:
        """Whether a score is a predicted rating. Raises ArtefactError as `scores_are_ratings` does."""
        return scores_are_ratings(self.description)


def scores_are_ratings(manifest: Mapping[str, Any]) -> bool:
    """Whether a score of the model that `manifest` describes is a predicted rating, and not only a preference.

    Older manifests say nothing: theirs are. Raises ArtefactError where the word is one of a newer release.
    """
    word = manifest.get("scores", RATINGS)
    if word not in (RATINGS, PREFERENCES):
        raise ArtefactError(
            f"scores are {word!r} in the manifest; this program knows {RATINGS} and {PREFERENCES}:"
            " use the release that wrote it, or a newer one"
        )
    return bool(word == RATINGS)


def write_embeddings(embeddings: Embeddings, folder: Path, *, overwrite: bool = False) -> Manifest:
    """Write `embeddings` to `folder`, whole or not at all; the manifest.

    Raises ArtefactError where `folder` exists (replaced in one step under `overwrite`) or a value is not finite.
    """
    arrays: dict[str, NDArray[Any]] = {
        "user_embeddings": np.ascontiguousarray(embeddings.user_embeddings, np.float32),
        "item_embeddings": np.ascontiguousarray(embeddings.item_embeddings, np.float32),
        "user_biases": np.ascontiguousarray(embeddings.user_biases, np.float32),
        "item_biases": np.ascontiguousarray(embeddings.item_biases, np.float32),
        **embeddings.catalogue.to_arrays(),
        **(embeddings.baseline.to_arrays() if embeddings.baseline else {}),
    }
    description = {
        "n_users": embeddings.n_users,
        "n_items": embeddings.n_items,
        "dim": embeddings.dim,
        "global_bias": float(embeddings.global_bias),
        **({"baseline_global_bias": embeddings.baseline.global_bias} if embeddings.baseline else {}),
        **embeddings.description,
    }
    _read(arrays, description)
    return write_artefact(
        folder, KIND, FORMAT_VERSION, description, lambda draft: save_arrays(draft, arrays), overwrite=overwrite
    )


def open_embeddings(folder: Path) -> Embeddings:
    """The embeddings in `folder`, verified, memory-mapped and read-only.

    Raises ArtefactError, naming the file, where anything is missing, damaged, foreign or does not fit together.
    """
    manifest = read_manifest(folder, KIND, FORMAT_VERSION)
    verify_files(folder, manifest)
    try:
        return _read(load_arrays(folder, manifest), manifest)
    except ArtefactError as error:
        raise ArtefactError(f"{folder}: {error}") from error


def _read(arrays: Arrays, manifest: Mapping[str, Any]) -> Embeddings:
    """The embeddings that `arrays` and `manifest` describe, proved to fit together."""
    n_users, n_items, dim = (check_count(manifest, name) for name in ("n_users", "n_items", "dim"))
    # For the refusal of a word that it does not know.
    scores_are_ratings(manifest)
    return Embeddings(
        user_embeddings=_finite(arrays, "user_embeddings", (n_users, dim)),
        item_embeddings=_finite(arrays, "item_embeddings", (n_items, dim)),
        user_biases=_finite(arrays, "user_biases", (n_users,)),
        item_biases=_finite(arrays, "item_biases", (n_items,)),
        global_bias=check_number(manifest, "global_bias"),
        catalogue=Catalogue.from_arrays(arrays, n_users, n_items),
        baseline=Baseline.from_arrays(arrays, manifest),
        description={key: value for key, value in manifest.items() if key not in _STRUCTURE},
        content_sha256=str(manifest.get("content_sha256", "")),
    )


def _finite(arrays: Arrays, name: str, shape: tuple[int, ...]) -> Floats:
    """The float32 array `name` of this shape. Raises ArtefactError where it is another, or holds NaN or infinity."""
    array = check_array(arrays, name, np.float32, shape)
    if not np.isfinite(array).all():
        raise ArtefactError(f"{name}.npy: holds NaN or infinity; train again")
    return array


_STRUCTURE = {
    "format", "format_version", "created", "files", "content_sha256", "n_users", "n_items", "dim", "global_bias",
    "baseline_global_bias",
}  # fmt: skip
