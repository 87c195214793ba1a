"""Embeddings → bundle: augment, choose both indexes by measurement, refuse what falls short, write."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from indexer.bundle import (
    ITEM_VECTORS,
    RECOMMEND_INDEX,
    SIMILAR_INDEX,
    Bundle,
    equaliser_of,
    finish_bundle,
    settings_told,
)
from indexer.choice.choose import Choice, Chooser, Earlier
from indexer.choice.decide import Limits, Trial
from indexer.choice.questions import K, n_questions, of_items, of_users
from indexer.scoring import Scorer
from indexer.vectors import Source, save_item_vectors
from training.artefact import Manifest, save_arrays
from training.embeddings import Embeddings

AUTO = "auto"


@dataclass(frozen=True)
class BuildOptions:
    """What may be chosen about a bundle."""

    index_key: str = AUTO
    """A key of `indexer.keys` for both indexes; auto: the best by measurement for each."""
    limits: Limits = field(default_factory=Limits)
    """What both indexes must keep."""


def quiet(_: str) -> None:
    """Say nothing of the progress."""


def build_bundle(
    embeddings: Embeddings,
    folder: Path,
    options: BuildOptions = BuildOptions(),
    progress: Callable[[str], None] = quiet,
    earlier: Bundle | None = None,
) -> Manifest:
    """Fill the empty `folder` with the bundle of `embeddings`; the manifest. `progress` is told each step.

    What `earlier` has is kept where it is still right: kinds of index, settings, quantisers. Raises IndexKeyError,
    IndexSizeError, and IndexGateError where an index finds too few of the true top items.
    """
    started = time.monotonic()
    progress("laying out the item vectors")
    item_vectors = save_item_vectors(embeddings.item_embeddings, embeddings.item_biases, folder / ITEM_VECTORS)
    scorer = Scorer(embeddings.user_embeddings, embeddings.user_biases, item_vectors, embeddings.global_bias)
    n = n_questions(embeddings.n_items)
    questions = {
        RECOMMEND_INDEX: of_users(scorer, embeddings.catalogue.seen, embeddings.n_users, n),
        SIMILAR_INDEX: of_items(scorer, embeddings.n_items, n),
    }
    choices = {
        name: Chooser(
            folder, name, Source(item_vectors, embeddings.dim, unit=name == SIMILAR_INDEX), asked, progress
        ).choose(options.index_key, options.limits, earlier_of(earlier, name) if earlier else None)
        for name, asked in questions.items()
    }
    equalisers = {equaliser_of(name): choice.of_queries for name, choice in choices.items()}
    save_arrays(folder, {name: array for name, array in equalisers.items() if array is not None})
    progress("writing the bundle")
    facts = {
        **embeddings.description,
        "index_key": choices[RECOMMEND_INDEX].taken.key.text,
        "metric": "inner product",
        "recall": {
            f"recall@{K}": round(choices[RECOMMEND_INDEX].taken.recall, 4),
            f"similar_recall@{K}": round(choices[SIMILAR_INDEX].taken.recall, 4),
        },
        "indexes": {name: _facts(choice) for name, choice in choices.items()},
        "target_recall": options.limits.target_recall,
        "build_s": round(time.monotonic() - started, 3),
        "embeddings_sha256": embeddings.content_sha256,
        "libraries": {
            **embeddings.description.get("libraries", {}),
            **{name: version(name) for name in ("faiss-cpu", "numpy")},
        },
    }
    return finish_bundle(folder, embeddings, item_vectors.shape[1], facts)


def earlier_of(bundle: Bundle, name: str) -> Earlier | None:
    """What `bundle` has for the index in the file `name`; None where its manifest tells of no measurement."""
    index = bundle.recommend_index if name == RECOMMEND_INDEX else bundle.similar_index
    said = bundle.manifest.get("indexes", {}).get(name, {})
    if not isinstance(said.get("flat_ratio"), float):
        return None
    return Earlier(bundle.folder / name, index, bundle.width, said["flat_ratio"])


def _facts(choice: Choice) -> dict[str, Any]:
    return {**_of_trial(choice.taken), "reused": choice.reused, "tried": [_of_trial(trial) for trial in choice.tried]}


def _of_trial(trial: Trial) -> dict[str, Any]:
    return {
        "index_key": trial.key.text,
        **settings_told(trial.key, trial.settings),
        "at_other_weights": settings_told(trial.key, trial.unusual_settings),
        "recall": {name: round(value, 4) for name, value in trial.recalls.items()},
        **asdict(trial.latency),
        "flat_p50_us": trial.flat_p50_us,
        "flat_ratio": round(trial.flat_ratio, 3),
        "bytes": trial.index_bytes,
        "build_s": trial.build_s,
    }
