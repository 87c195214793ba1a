"""When a trial ends: on both sides of each boundary."""

import math
from dataclasses import dataclass

import pytest

from training.errors import DivergedError
from training.fitting.least_squares import Side
from training.fitting.trial import Trial, check_finite, is_over


@dataclass
class Judge:
    """What a trial is judged by, without a model to measure."""

    name: str
    better: int
    least_gain: float

    def measure(self, users: Side, items: Side) -> float:
        raise NotImplementedError


ERROR = Judge("val_rmse", better=-1, least_gain=0.01)
GAIN = Judge("val_ndcg@10", better=1, least_gain=0.01)


def trial_of(figures: list[float], judge: Judge = ERROR) -> Trial:
    sweeps = [{"sweep": number, judge.name: figure, "seconds": 0.5} for number, figure in enumerate(figures, 1)]
    return Trial({"regularisation": 0.25}, sweeps)


@pytest.mark.parametrize(
    ("figures", "patience", "over"),
    [
        ([1.0], 1, False),
        ([1.0, 0.98], 1, False),
        ([1.0, 0.995], 1, True),
        ([1.0, 1.1], 1, True),
        ([1.0, 1.1], 2, False),
        ([1.0, 1.1, 1.2], 2, True),
        ([1.0, 1.1, 0.98], 2, False),
        ([1.0, 0.995, 0.9951], 2, True),
        ([1.0, 0.995, 0.985], 2, False),
        # The best lies further back than patience goes.
        ([0.9, 1.2, 1.1, 1.0], 2, True),
    ],
)
def test_a_trial_ends_after_so_many_sweeps_without_progress(figures: list[float], patience: int, over: bool) -> None:
    assert is_over(trial_of(figures), ERROR, patience, None) == over


@pytest.mark.parametrize(("figures", "over"), [([0.2, 0.203], False), ([0.2, 0.2019], True), ([0.2, 0.1], True)])
def test_progress_is_upwards_where_more_is_better(figures: list[float], over: bool) -> None:
    assert is_over(trial_of(figures, GAIN), GAIN, 1, None) == over


@pytest.mark.parametrize(
    ("figures", "over"),
    [
        # Four more gains as large as the last, of 0.1, would make 0.5, and the best has 0.53.
        ([1.0, 0.9], False),
        # A single sweep says nothing of how fast it goes.
        ([5.0], False),
        # Far behind, and gains of 0.02 lead nowhere near, but those of 0.12 past it.
        ([1.0, 0.98], True),
        ([1.12, 1.0], False),
        # Not behind the best after as many sweeps, however little it gains.
        ([0.72, 0.7], False),
        ([0.73, 0.71], True),
    ],
)
def test_a_trial_is_given_up_where_the_best_is_out_of_reach(figures: list[float], over: bool) -> None:
    best = trial_of([0.8, 0.7, 0.6, 0.53])
    assert is_over(trial_of(figures), ERROR, 1, best) == over


@pytest.mark.parametrize(("best", "over"), [(0.59, False), (0.61, False), (0.51, False), (0.49, True)])
def test_hope_reaches_four_sweeps_ahead(best: float, over: bool) -> None:
    assert is_over(trial_of([1.0, 0.9]), ERROR, 1, trial_of([0.7, 0.6, best])) == over


def test_after_more_sweeps_than_the_best_had_its_last_one_is_what_counts() -> None:
    best = trial_of([0.7, 0.6])
    assert not is_over(trial_of([0.7, 0.65, 0.62]), ERROR, 1, best)
    assert is_over(trial_of([0.75, 0.7, 0.69]), ERROR, 1, best)


def test_what_is_kept_of_a_trial_is_its_best_sweep() -> None:
    for judge, best in ((ERROR, 2), (GAIN, 3)):
        trial = trial_of([0.3, 0.1, 0.4], judge)
        figure = {2: 0.1, 3: 0.4}[best]
        assert trial.best_sweep(judge)["sweep"] == best
        assert trial.cost(judge) == -judge.better * figure
        expected = {"regularisation": 0.25, judge.name: figure, "best_sweep": best, "sweeps": 3, "seconds": 1.5}
        assert trial.to_json(judge) == {**expected, "given_up": False}


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_ends_the_fit_in_one_sentence(figure: float) -> None:
    sentence = "the fit with regularisation 0.25 ended in NaN or infinity; give a larger --regularisation"
    with pytest.raises(DivergedError, match=sentence):
        check_finite(trial_of([]), {"sweep": 1, "rmse": figure, "seconds": 0.1})
    check_finite(trial_of([]), {"sweep": 1, "rmse": 1e30, "seconds": 0.1})
