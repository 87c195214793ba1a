"""The bundle: all that an answer needs, in one folder, so that one version is swapped as one thing.

Beside the arrays of `Bundle` and of training's catalogue it holds two FAISS indexes, `recommend.faiss` over the item
vectors and `similar.faiss` over the item embeddings at length 1. `manifest.json` names every file with its checksum;
under "indexes" it says of each what it is, how it is searched, and what else was tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.background import give_turn
from indexer.errors import BundleError, IndexKeyError
from indexer.index import Index, Settings
from indexer.index_file import map_index
from indexer.keys import FLAT, IndexKey, checked_key
from indexer.lock import Lease
from indexer.popularity import Popularity
from indexer.proof import Proof, Prove, files_in
from indexer.vectors import WIDTH_STEP, Floats
from training.artefact import (
    MANIFEST,
    Manifest,
    check_array,
    check_count,
    check_number,
    load_arrays,
    read_manifest,
    save_arrays,
    seal,
    verify_files,
)
from training.columns import Arrays
from training.embeddings import PREFERENCES, RATINGS, Catalogue, Embeddings, scores_are_ratings
from training.errors import ArtefactError

KIND = "matinee-bundle"
FORMAT_VERSION = 1
RECOMMEND_INDEX, SIMILAR_INDEX = "recommend.faiss", "similar.faiss"
ITEM_VECTORS = "item_vectors.npy"
_MOST_EFFORT = 1 << 20


@dataclass(frozen=True, eq=False)
class Bundle:
    """One version, open: arrays memory-mapped and read-only, and not removed from its store while this object lives.

    score(u, i) = global_bias + user_biases[u] + query(user_embeddings[u], width) · item_vectors[i]
    """

    folder: Path
    """Where it is."""
    user_embeddings: Floats
    """(n_users, dim)."""
    user_biases: Floats
    """(n_users,)."""
    item_vectors: Floats
    """(n_items, width): embedding, bias, zeros, as `indexer.vectors.augment` makes them."""
    global_bias: float
    """Added to every score."""
    scores_are_ratings: bool
    """Whether a score is a predicted rating; otherwise it is a preference, about 0 to 1, and no rating."""
    catalogue: Catalogue
    """Who the rows are."""
    popularity: Popularity
    """How many users have rated each item."""
    recommend_index: Index
    """FAISS, inner product, over `item_vectors`; its row is the item row."""
    similar_index: Index
    """FAISS, inner product, over the item embeddings at length 1 in the same width; its row is the item row."""
    manifest: Mapping[str, Any]
    """How it came about: index_key, recall, what was tried, rating_scale, objective, scores, libraries, files."""
    lease: Lease = field(repr=False)
    """What keeps it from being removed."""

    @property
    def version(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def n_users(self) -> int:
        """How many users the model was trained on."""
        return len(self.user_biases)

    @property
    def n_items(self) -> int:
        """How many items the model was trained on."""
        return len(self.item_vectors)

    @property
    def dim(self) -> int:
        """The width of the embeddings."""
        return int(self.user_embeddings.shape[1])

    @property
    def width(self) -> int:
        """The columns of an item vector, and of a query."""
        return int(self.item_vectors.shape[1])


def finish_bundle(folder: Path, embeddings: Embeddings, width: int, facts: Mapping[str, Any]) -> Manifest:
    """Write everything but the item vectors and the indexes, which `folder` has already, then the manifest; synced.

    `width`: the columns of the item vectors. `facts`: what the manifest says beside the structure, such as recall.
    """
    arrays: dict[str, NDArray[Any]] = {
        "user_embeddings": np.ascontiguousarray(embeddings.user_embeddings),
        "user_biases": np.ascontiguousarray(embeddings.user_biases),
        **embeddings.catalogue.to_arrays(),
        **Popularity.of(embeddings.catalogue).to_arrays(),
    }
    save_arrays(folder, arrays)
    description = {
        "n_users": embeddings.n_users,
        "n_items": embeddings.n_items,
        "dim": embeddings.dim,
        "width": width,
        "global_bias": float(embeddings.global_bias),
        "scores": RATINGS if embeddings.scores_are_ratings else PREFERENCES,
        "bytes": sum(path.stat().st_size for path in folder.iterdir()),
        **facts,
    }
    return seal(folder, KIND, FORMAT_VERSION, description)


def equaliser_of(index_name: str) -> str:
    """The array that equalises the queries of the index in the file `index_name`: its name without `.npy`."""
    return f"{index_name.removesuffix('.faiss')}_equaliser"


def _index(path: Path, arrays: Arrays, manifest: Mapping[str, Any], *, is_proved: bool) -> Index:
    """The index in `path`, as the manifest says how it is searched."""
    n_items, dim, width = (check_count(manifest, name) for name in ("n_items", "dim", "width"))
    key, settings, unusual_settings = _settings(manifest, path.name, n_items, width)
    of_queries = None
    if key.equalised:
        if dim + 2 > width:
            raise ArtefactError(
                f"width is {width} in the manifest; an index that is {key.text} needs {dim + 2} columns"
            )
        of_queries = check_array(arrays, equaliser_of(path.name), np.float32, (dim + 1, dim + 1))
        if not np.isfinite(of_queries).all():
            raise ArtefactError(f"{equaliser_of(path.name)}.npy: holds NaN or infinity; publish again")
    faiss = map_index(path, key, n_items, width, is_proved=is_proved)
    return Index(key, faiss, settings, unusual_settings, of_queries)


def _settings(manifest: Mapping[str, Any], name: str, n_items: int, width: int) -> tuple[IndexKey, Settings, Settings]:
    """The key and both settings of the index in the file `name`. Raises ArtefactError where they are not sound.

    A manifest that says nothing of the single indexes is of before there was anything but Flat.
    """
    try:
        said = manifest.get("indexes", {}).get(name, {"index_key": manifest.get("index_key", FLAT)})
        key = checked_key(str(said["index_key"]), n_items, width)
        if key.is_exact:
            return key, Settings(), Settings()
        return key, _read_settings(key, said), _read_settings(key, said["at_other_weights"])
    except (IndexKeyError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{name} is not described in the manifest: {error}; publish again") from error


def settings_told(key: IndexKey, settings: Settings) -> dict[str, int]:
    """What the manifest says of `settings`, in FAISS's words."""
    if key.is_exact:
        return {}
    effort = {key.effort_name: settings.effort} if key.effort_name else {}
    return {**effort, "k_factor": settings.k_factor}


def _read_settings(key: IndexKey, said: Mapping[str, Any]) -> Settings:
    """What `settings_told` told. Raises ArtefactError."""
    return Settings(_setting(said, key.effort_name) if key.effort_name else 1, _setting(said, "k_factor"))


def _setting(said: Mapping[str, Any], name: str) -> int:
    value = check_count(said, name)
    if value > _MOST_EFFORT:
        raise ArtefactError(f"{name} is {value} in the manifest; it can be at most {_MOST_EFFORT}")
    return value


def read_bundle_manifest(folder: Path) -> Manifest:
    """The manifest alone, proved whole. Raises BundleError where it is missing, damaged or of another kind."""
    try:
        return read_manifest(folder, KIND, FORMAT_VERSION)
    except ArtefactError as error:
        raise BundleError(str(error)) from error


def open_bundle(folder: Path, prove: Prove | None = None, *, n_threads: int | None = None) -> Bundle:
    """The bundle in `folder`; every checksum is verified before anything in it is used, `n_threads` at a time.

    With `prove` it does that instead, and nothing is read through here: what is opened is what was proved, or refused.

    Raises BundleError, naming the file, where anything is missing, damaged, foreign or does not fit together.
    """
    manifest = read_bundle_manifest(folder)
    try:
        lease = Lease(folder / MANIFEST)
        proof = prove(folder) if prove else None
        if proof is None:
            verify_files(folder, manifest, n_threads)
        else:
            # It may have been another when it was read first.
            manifest = read_bundle_manifest(folder)
        arrays = load_arrays(folder, manifest, give_turn)
    except ArtefactError as error:
        raise BundleError(str(error)) from error
    except FileNotFoundError as error:
        raise BundleError(f"{error.filename}: went away while it was opened") from error
    try:
        bundle = _read(folder, arrays, manifest, lease, is_proved=proof is not None)
    except ArtefactError as error:
        raise BundleError(f"{folder}: {error}") from error
    # Now that everything is open: nothing came in place of what was proved between then and now.
    if proof is not None and proof != files_in(folder):
        raise BundleError(f"{folder}: was changed while it was opened; it is tried again")
    return bundle


def proved(folder: Path, *, n_threads: int | None = None) -> Proof:
    """The proof of the bundle in `folder`, which is read through for it. Raises BundleError as `open_bundle` does."""
    # From before the first byte is read, so that what is written meanwhile is noticed.
    proof = files_in(folder)
    open_bundle(folder, n_threads=n_threads)
    return proof


def _read(folder: Path, arrays: Arrays, manifest: Manifest, lease: Lease, *, is_proved: bool) -> Bundle:
    """The bundle that `arrays` and `manifest` describe, proved to fit together, or known to."""
    n_users, n_items, dim, width = (check_count(manifest, name) for name in ("n_users", "n_items", "dim", "width"))
    if width <= dim or width % WIDTH_STEP:
        raise ArtefactError(f"width is {width} in the manifest; it must be a multiple of {WIDTH_STEP} above dim {dim}")
    vectors = {
        "user_embeddings": check_array(arrays, "user_embeddings", np.float32, (n_users, dim)),
        "user_biases": check_array(arrays, "user_biases", np.float32, (n_users,)),
        "item_vectors": check_array(arrays, "item_vectors", np.float32, (n_items, width)),
    }
    for name, array in vectors.items():
        if not is_proved and not np.isfinite(array).all():
            raise ArtefactError(f"{name}.npy: holds NaN or infinity; publish again")
    if missing := {RECOMMEND_INDEX, SIMILAR_INDEX} - manifest["files"].keys():
        raise ArtefactError(f"{min(missing)}: missing from the manifest")
    catalogue = Catalogue.from_arrays(arrays, n_users, n_items, is_proved=is_proved)
    indexes = {
        name: _index(folder / name, arrays, manifest, is_proved=is_proved) for name in (RECOMMEND_INDEX, SIMILAR_INDEX)
    }
    return Bundle(
        folder=folder,
        **vectors,
        global_bias=check_number(manifest, "global_bias"),
        scores_are_ratings=scores_are_ratings(manifest),
        catalogue=catalogue,
        popularity=Popularity.from_arrays(arrays, catalogue),
        recommend_index=indexes[RECOMMEND_INDEX],
        similar_index=indexes[SIMILAR_INDEX],
        manifest=manifest,
        lease=lease,
    )
