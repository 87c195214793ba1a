"""How the held-out RMSE of our fit falls with time: python -m benchmarks.curve DATA [--dim 64 --seed 42].

DATA is a folder of benchmarks.data. The fit is the one that `matinee train` makes. After every sweep, also of the
trials that choose hyper-parameters, the model as it is then is judged on the held-out part while the clock stands
still; the fit sees nothing of that.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.judge import Judge
from benchmarks.process import wide_console
from training.embeddings import Embeddings
from training.fitting.config import FitConfig
from training.fitting.export import catalogue_of
from training.fitting.fit import fit
from training.fitting.least_squares import Side
from training.fitting.objectives import Ranking, Rating
from training.fitting.progress import Report


class Stopwatch:
    """The curve so far."""

    def __init__(self, judge: Judge) -> None:
        self.sweeps: list[dict[str, float]] = []
        self._judge = judge
        self._catalogue = catalogue_of(judge.train)
        self._began = time.perf_counter()
        self._judging_s = 0.0

    @property
    def seconds(self) -> float:
        """Since the beginning, without what judging took."""
        return time.perf_counter() - self._began - self._judging_s

    def start(self) -> None:
        """Now is the beginning."""
        self._began, self._judging_s = time.perf_counter(), 0.0

    def watch(self, objective: Rating | Ranking, users: Side, items: Side) -> None:
        """Judge the model after a sweep."""
        seconds, stopped = self.seconds, time.perf_counter()
        model = objective.parameters(users.rows, items.rows)
        embeddings = Embeddings(
            model.user_embeddings,
            model.item_embeddings,
            model.user_biases,
            model.item_biases,
            model.global_bias,
            self._catalogue,
        )
        figures = self._judge.errors(self._judge.model(embeddings, "rating"))
        self.sweeps.append({"seconds": round(seconds, 3), "rmse": figures["rmse_unclipped"]})
        self._judging_s += time.perf_counter() - stopped


def curve(options: argparse.Namespace) -> dict[str, Any]:
    """The seconds and the held-out RMSE after each sweep, and the seconds of the whole fit."""
    judge = Judge(options.data)
    stopwatch = Stopwatch(judge)
    config = FitConfig(dim=options.dim, seed=options.seed)
    with Report(wide_console()) as report:
        stopwatch.start()
        fit(judge.train, config, report, watch=stopwatch.watch)
        fit_s = stopwatch.seconds
    return {"fit_s": round(fit_s, 2), "sweeps": stopwatch.sweeps}


def main() -> None:
    """Fit once; the curve on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--seed", type=int, default=42)
    json.dump(curve(parser.parse_args()), sys.stdout)


if __name__ == "__main__":
    main()
