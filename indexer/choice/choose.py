"""One of a bundle's two indexes: candidates built in turn, tuned and measured as they are read back from their files.

Some of the questions tune an index and the others prove it, so that what is published is not what fitted its own
questions best.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from indexer.choice.candidates import candidate_keys, predicted_bytes
from indexer.choice.decide import Limits, Trial, decided, fits
from indexer.choice.measure import latencies, latency, one_thread, recalls
from indexer.choice.questions import Question, answered
from indexer.choice.tune import settings_grid, tuned
from indexer.equalise import Equaliser, equaliser, fitted_to
from indexer.errors import IndexSizeError
from indexer.index import FaissIndex, Index, Settings, fill_index, new_index
from indexer.index_file import load_index, map_index, write_index
from indexer.keys import FLAT, IndexKey, checked_key, parse_key
from indexer.vectors import Floats, Source

_TRAINED_ON, _TRAINED_ON_A_LIST = 65_536, 64
# So many questions and more: every other one tunes, the rest prove.
_FEW = 400
# So much closer to a perfect recall than asked for is tuned to, since the other questions may be harder; where they are
# still, the next.
_MARGINS = (0.2, 0.5, 0.8)
_AS_GOOD_AS_BEFORE = 1.25


@dataclass(frozen=True)
class Earlier:
    """The index that the version before had for the same."""

    path: Path
    """Its file, which was verified."""
    index: Index
    width: int
    flat_ratio: float
    """Its time as a multiple of the exact index's, as measured then."""


@dataclass(frozen=True)
class Choice:
    """What was tried, and what was taken."""

    taken: Trial
    tried: Sequence[Trial]
    reused: bool
    """Whether the earlier version's kind was good enough as it was."""
    of_queries: Floats | None
    """What equalises the queries of the one that was taken, where it is equalised."""


Progress = Callable[[str], None]


class Chooser:
    """Chooses the index in `folder/name` over the vectors of `source`, judged by `questions`."""

    def __init__(
        self, folder: Path, name: str, source: Source, questions: Sequence[Question], progress: Progress
    ) -> None:
        self._folder, self._name, self._source, self._progress = folder, name, source, progress
        self._equaliser: Equaliser | None = None
        self._centroids: dict[tuple[str, int], Floats] = {}
        self._flat_build_s, self._flat = self._built(parse_key(FLAT), None)
        told = answered(questions, self._flat.faiss)
        self._told = told
        # Spread over all, since they come in the order of how much they leave out. Few of them do both.
        apart = len(told) >= _FEW
        tuning, self._proving = (told[::2], told[1::2]) if apart else (told, told)
        self._usual, self._unusual = _parted(tuning)
        self._usual_proving = _parted(self._proving)[0]

    def choose(self, index_key: str, limits: Limits, earlier: Earlier | None = None) -> Choice:
        """The index of `index_key`, or of the best key where it is "auto", in its place.

        Raises IndexKeyError, IndexGateError and IndexSizeError; then nothing is in its place.
        """
        trials: list[Trial] = []
        try:
            reused = index_key == "auto" and self._reuse(earlier, limits, trials)
            if not reused:
                self._try_all(index_key, limits, trials)
            taken = trials[-1] if reused else decided(self._name, trials, limits)
            self._path(taken.key).rename(self._folder / self._name)
        finally:
            for left in self._folder.glob(f"{self._name}.*"):
                left.unlink()
        of_queries = self._equalising(earlier if reused else None).of_queries if taken.key.equalised else None
        return Choice(taken, trials, reused, of_queries)

    def _try_all(self, index_key: str, limits: Limits, trials: list[Trial]) -> None:
        shape = len(self._source), self._source.width
        keys = candidate_keys(*shape) if index_key == "auto" else [checked_key(index_key, *shape)]
        sizes = {key: predicted_bytes(key, *shape) for key in keys}
        trials += [self._tried(key, limits, None) for key in keys if fits(sizes[key], limits)]
        if not trials:
            raise IndexSizeError(self._name, min(sizes.values()), limits.max_bytes or 0)

    def _reuse(self, earlier: Earlier | None, limits: Limits, trials: list[Trial]) -> bool:
        """Try what the earlier version had: whether it is as good as it was then."""
        if earlier is None or earlier.width != self._source.width:
            return False
        trial = self._tried(earlier.index.key, limits, earlier)
        # It may have got slower as the vectors changed; what was Flat is tried again when there are many more items.
        as_fast = trial.flat_ratio <= _AS_GOOD_AS_BEFORE * earlier.flat_ratio
        as_many = abs(len(self._source) - earlier.index.n_items) <= (_AS_GOOD_AS_BEFORE - 1) * earlier.index.n_items
        good = as_fast and as_many and trial.recall >= limits.target_recall and fits(trial.index_bytes, limits)
        if good:
            trials.append(trial)
        else:
            self._progress(f"{self._name}: {earlier.index.key.text} is not as good any more")
        return good

    def _tried(self, key: IndexKey, limits: Limits, earlier: Earlier | None) -> Trial:
        build_s, index = (self._flat_build_s, self._flat) if key.is_exact else self._built(key, earlier)
        self._progress(f"{self._name}: tuning {key.text}")
        with one_thread():
            index, found = self._proved(index, limits, earlier.index if earlier else None)
            self._progress(f"{self._name}: measuring {key.text}")
            flat, own = latencies([self._flat, index], self._usual_proving)
            return Trial(
                key,
                index.settings,
                index.unusual_settings,
                found,
                flat if key.is_exact else own,
                flat.p50_us,
                self._path(key).stat().st_size,
                round(build_s, 3),
            )

    def _proved(self, index: Index, limits: Limits, before: Index | None) -> tuple[Index, dict[str, float]]:
        """The index with its settings, and its recalls: tuned for more where the other questions are harder."""
        if index.key.is_exact:
            return index, recalls(index, self._proving)
        for margin in _MARGINS:
            target = limits.target_recall + margin * (1 - limits.target_recall)
            index = before = self._tuned(index, target, before)
            found = recalls(index, self._proving)
            if min(found.values()) >= limits.target_recall:
                break
        return index, found

    def _tuned(self, index: Index, target: float, before: Index | None) -> Index:
        usual = self._least(index, target, self._usual, before.settings if before else None)
        start = before.unusual_settings if before else usual
        unusual = self._least(index, target, self._unusual, start) if self._unusual else usual
        return replace(index, settings=usual, unusual_settings=unusual)

    def _least(self, index: Index, target: float, questions: Sequence[Question], start: Settings | None) -> Settings:
        def looking(settings: Settings) -> Index:
            return replace(index, settings=settings, unusual_settings=settings)

        return tuned(
            settings_grid(index.key),
            lambda settings: min(recalls(looking(settings), questions).values()),
            lambda settings: latency(looking(settings), questions).p50_us,
            target,
            start,
        )

    def _built(self, key: IndexKey, earlier: Earlier | None) -> tuple[float, Index]:
        """Train, fill, write, read back: the seconds of the first two, and the index."""
        source = self._source
        self._progress(f"{self._name}: building {key.text} over {len(source):,} items")
        began = time.monotonic()
        equal = self._equalising(earlier) if key.equalised else None
        faiss_index = self._empty(key, equal, earlier)
        fill_index(faiss_index, (equal.items(block) if equal else block for block in source.blocks()))
        build_s = time.monotonic() - began
        write_index(faiss_index, self._path(key))
        del faiss_index
        mapped = map_index(self._path(key), key, len(source), source.width)
        return build_s, Index(key, mapped, of_queries=equal.of_queries if equal else None)

    def _empty(self, key: IndexKey, equal: Equaliser | None, earlier: Earlier | None) -> FaissIndex:
        if earlier is not None and key == earlier.index.key and not key.links:
            # What its quantisers were trained on has changed little.
            index = load_index(earlier.path, key, earlier.index.n_items, earlier.width)
            index.reset()
            return index
        n_sampled = max(_TRAINED_ON, _TRAINED_ON_A_LIST * key.nlist)
        sample = self._source.sample(n_sampled)
        lists = key.text.partition("IVF")[0], key.nlist
        index = new_index(key, self._source.width, equal.items(sample) if equal else sample, self._centroids.get(lists))
        if key.nlist:
            self._centroids[lists] = index.quantizer.reconstruct_n(0, key.nlist)
        return index

    def _equalising(self, earlier: Earlier | None) -> Equaliser:
        if earlier is not None and earlier.index.of_queries is not None:
            return equaliser(self._source, earlier.index.of_queries)
        if self._equaliser is None:
            queries = np.stack([question.query.vector for question in self._told])
            self._equaliser = equaliser(self._source, fitted_to(queries, self._source.dim))
        return self._equaliser

    def _path(self, key: IndexKey) -> Path:
        return self._folder / f"{self._name}.{key.text}"


def _parted(questions: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """The usual ones, and the others; all are usual where none is."""
    usual = [question for question in questions if question.query.is_usual]
    return usual or list(questions), [question for question in questions if usual and not question.query.is_usual]
