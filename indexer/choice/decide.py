"""Which of the tried indexes is taken: a pure function of what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from indexer.choice.measure import Latency
from indexer.errors import IndexGateError, IndexSizeError
from indexer.index import Settings
from indexer.keys import IndexKey

_AS_FAST = 1.05


@dataclass(frozen=True)
class Trial:
    """One index that was built, tuned and measured."""

    key: IndexKey
    settings: Settings
    unusual_settings: Settings
    """Where a request weighs the item biases in another way than the model does."""
    recalls: Mapping[str, float]
    """recall@10 of each group of questions, 0 to 1; not those that it was tuned on."""
    latency: Latency
    """Of usual questions."""
    flat_p50_us: float
    """Of the exact index, measured just before: the machine may be slower at times."""
    index_bytes: int
    """Of its file."""
    build_s: float
    """Seconds to train and fill it."""

    @property
    def recall(self) -> float:
        """The lowest of its recalls."""
        return min(self.recalls.values(), default=1.0)

    @property
    def flat_ratio(self) -> float:
        """Its time as a multiple of the exact index's; less is faster."""
        return self.latency.p50_us / self.flat_p50_us


@dataclass(frozen=True)
class Limits:
    """What an index must keep to be published."""

    target_recall: float = 0.99
    """The least recall@10, 0 to 1."""
    max_bytes: int | None = None
    """The largest file; None: any."""
    allow_low_recall: bool = False
    """Take the one that finds most where none finds enough."""


def decided(name: str, trials: Sequence[Trial], limits: Limits) -> Trial:
    """The fastest trial within the limits; of those as fast within 5 %, the smallest. `name` says of which index.

    Raises IndexSizeError where all are too large, and IndexGateError where none finds enough.
    """
    small = [trial for trial in trials if fits(trial.index_bytes, limits)]
    if not small:
        raise IndexSizeError(name, min(trial.index_bytes for trial in trials), limits.max_bytes or 0)
    good = [trial for trial in small if trial.recall >= limits.target_recall]
    if not good:
        best = max(small, key=lambda trial: trial.recall)
        if not limits.allow_low_recall:
            raise IndexGateError(name, best.key.text, best.recall, limits.target_recall)
        return best
    fastest = min(trial.flat_ratio for trial in good)
    as_fast = [trial for trial in good if trial.flat_ratio <= _AS_FAST * fastest]
    return min(as_fast, key=lambda trial: (trial.index_bytes, trial.flat_ratio))


def fits(index_bytes: int, limits: Limits) -> bool:
    """Whether an index of this size may be published."""
    return limits.max_bytes is None or index_bytes <= limits.max_bytes
