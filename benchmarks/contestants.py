"""Who is measured by bench-quality: each a command line that reads the training part and writes what was learnt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.data import Data

RATING, RANKING = "rating", "ranking"
OUR_DIMS = (64, 128, 256, 512)

_CMFREC_REGULARISATIONS = (3, 10, 30, 100)
# alpha and regularisation at 64 and at 256 factors, found beforehand on the held-out parts: in its favour.
_IMPLICIT_SETTINGS = {
    "ml-latest-small": {64: [(20, 100)], 256: [(10, 30)]},
    "goodbooks-10k": {64: [(40, 1)], 256: [(40, 1)]},
}
_IMPLICIT_ON_OTHERS = [(40, 1), (20, 100), (10, 30)]


@dataclass(frozen=True)
class Contestant:
    """One trainer in one setting."""

    name: str
    """As in the tables; of several settings of one name the best on the held-out part is shown."""
    module: str
    """What runs it."""
    arguments: tuple[str, ...]
    """With {train}, {test} and {out} where these paths go."""
    setting: str = ""
    """What was set by hand, for the tables."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that it needs."""

    def command(self, data: Data, out: Path) -> list[str]:
        """The arguments with their paths."""
        return [text.format(train=data.train, test=data.test, out=out) for text in self.arguments]


def contestants(objective: str, data: Data) -> list[Contestant]:
    """All who are measured on `data` under `objective`, others first."""
    return _by_error() if objective == RATING else _by_ranking(data)


def _by_error() -> list[Contestant]:
    notebook = Contestant("notebook", "benchmarks.notebook", ("{train}", "{test}", "--out", "{out}"))
    cmfrec = [_anchor("cmfrec-als", "cmfrec-als", regularisation=value) for value in _CMFREC_REGULARISATIONS]
    return [notebook, _anchor("surprise-svd", "surprise-svd"), *cmfrec, _ours("matinee", RATING, 64)]


def _by_ranking(data: Data) -> list[Contestant]:
    implicit = [
        _anchor(f"implicit-als-{factors}", "implicit-als", factors=factors, alpha=alpha, regularisation=regularisation)
        for factors in (64, 256)
        for alpha, regularisation in _IMPLICIT_SETTINGS.get(data.name, {}).get(factors, _IMPLICIT_ON_OTHERS)
    ]
    ease = Contestant("ease", "benchmarks.ease", ("{train}", "{out}"))
    ours = [_ours(f"matinee-{dim}", RANKING, dim) for dim in OUR_DIMS]
    return [_anchor("most-popular", "most-popular"), *implicit, ease, *ours]


def _anchor(name: str, trainer: str, **settings: float) -> Contestant:
    texts = tuple(f"{key}={value:g}" for key, value in settings.items())
    by_hand = ", ".join(text.replace("=", " ") for text in texts if not text.startswith("factors="))
    # implicit has threads of its own, and is slow where its linear algebra has some too.
    environment = {"OPENBLAS_NUM_THREADS": "1"} if trainer == "implicit-als" else {}
    return Contestant(name, "benchmarks.anchors", (trainer, "{train}", "{out}", *texts), by_hand, environment)


def _ours(name: str, objective: str, dim: int) -> Contestant:
    """As a user calls it: nothing is set but the width."""
    flags = ("--objective", objective, "--dim", str(dim), "--overwrite", "--json")
    return Contestant(name, "matinee", ("train", "{train}", "{out}", *flags))
