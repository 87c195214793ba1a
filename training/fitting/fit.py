"""Ratings → a fitted model: hyper-parameters chosen on a part of the ratings, then a fit to all of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from training.data.ratings import Ratings
from training.data.split import random_split
from training.errors import DivergedError
from training.fitting.checkpoint import Checkpoint, State
from training.fitting.config import FitConfig
from training.fitting.interactions import Floats
from training.fitting.least_squares import Side
from training.fitting.model import MatrixFactorisation
from training.fitting.objectives import Objective, Values, first_rows, objective_of
from training.fitting.problem import Problem
from training.fitting.progress import Report, named
from training.fitting.search import climb
from training.fitting.trial import Trial, check_finite, has_settled, is_over
from training.fitting.validation import Validation, validation_of

MOST_SWEEPS = 30
"""Of a trial whose number of sweeps is not given."""

UPDATE_SWEEPS = 3
"""So many take a model that sweeps only improve to ratings that it was not fit to."""

Watch = Callable[[Objective, Side, Side], None]
"""Told of the objective, the users and the items after every sweep."""


@dataclass(frozen=True)
class Start:
    """An earlier model to go on from."""

    item_rows: Floats
    """(n_items, width) in the rows of the ratings to begin with."""
    values: Values
    """Its hyper-parameters."""
    sweeps: int
    """How many bring it up to date."""


@dataclass(frozen=True)
class Fit:
    """A fitted model and how it came about."""

    model: MatrixFactorisation
    objective: Objective
    values: Values
    """The hyper-parameters that it was fitted with."""
    refit: Trial
    """The sweeps over all ratings; none where the fit was interrupted before."""
    chosen: Trial | None = None
    """The trial on a part of the ratings that was the best; None where there was nothing to choose."""
    trials: list[Trial] = field(default_factory=list)
    """All of them."""
    judge: Validation | None = None
    """What they were judged by."""
    interrupted: bool = False
    """Whether this is the best so far of a fit that was stopped; not fit to the part that it was judged on, if any."""

    @property
    def sweeps(self) -> int:
        """How many it is the result of."""
        return len(self.refit.curve or (self.chosen.curve if self.chosen else []))

    def description(self) -> dict[str, Any]:
        """For the manifest: metrics, history (of the chosen trial, else of the fit), refit and search."""
        metrics: dict[str, Any] = {}
        if self.judge is not None and self.chosen is not None:
            best = self.chosen.best_sweep(self.judge)
            metrics = {self.judge.name: best[self.judge.name], "best_sweep": int(best["sweep"])}
        return {
            "metrics": metrics,
            "history": (self.chosen or self.refit).curve,
            "refit": self.refit.curve if self.chosen else [],
            "search": [trial.to_json(self.judge) for trial in self.trials] if self.judge else [],
            **({"interrupted": True} if self.interrupted else {}),
        }


def devices() -> str:
    """What TensorFlow will compute on, such as "CPU" or "GPU"; the first call is when it looks for them."""
    kinds = {device.device_type for device in tf.config.list_logical_devices()}
    return ", ".join(sorted(kinds - {"CPU"})) or "CPU"


def fit(
    ratings: Ratings,
    config: FitConfig,
    report: Report,
    *,
    start: Start | None = None,
    checkpoint: Checkpoint | None = None,
    resume: bool = False,
    watch: Watch | None = None,
) -> Fit:
    """The model that fits `ratings` under `config`; what that leaves open is chosen on a part of them.

    With a `start` nothing is chosen: its hyper-parameters hold, and its few sweeps bring it up to date. `checkpoint`
    follows the fit, and under `resume` it goes on from there; whoever has written the result removes it. On Ctrl-C the
    best model so far is returned, marked as interrupted, where there is one.

    The same ratings, config, machine and TensorFlow give the same weights, bit for bit, resumed or not; another
    processor may round differently. To that end TensorFlow's deterministic operations are switched on, for the whole
    process. Raises DivergedError where a solve fails, RatingsError where there are too few ratings to hold any out.
    """
    tf.config.experimental.enable_op_determinism()
    state = checkpoint.read() if checkpoint and resume else State()
    fitter = _Fitter(ratings, config, report, state, checkpoint, watch)
    try:
        return fitter.from_start(start) if start else fitter.from_scratch()
    except KeyboardInterrupt:
        if not fitter.has_best:
            raise
        return fitter.interrupted()
    except tf.errors.InvalidArgumentError as error:
        given = named(state.current.values) if state.current else "these hyper-parameters"
        raise DivergedError(
            f"the equations with {given} could not be solved in single precision; give a larger --regularisation"
        ) from error


class _Fitter:
    """One call of `fit`."""

    def __init__(
        self,
        ratings: Ratings,
        config: FitConfig,
        report: Report,
        state: State,
        checkpoint: Checkpoint | None,
        watch: Watch | None,
    ) -> None:
        self._ratings, self._config, self._report = ratings, config, report
        self._state, self._checkpoint, self._watch = state, checkpoint, watch
        self._objective = objective_of(ratings, config)
        self._judge: Validation | None = None
        self._unjudged: Trial | None = None

    def from_start(self, start: Start) -> Fit:
        """A few sweeps over all ratings."""
        return self._refitted(Trial(start.values), start.item_rows, self._config.sweeps or start.sweeps)

    def from_scratch(self) -> Fit:
        """Choose, where there is anything to choose, and fit to all ratings."""
        given = {name: getattr(self._config, name) for name in self._objective.start}
        first = first_rows(self._objective, self._ratings.n_items, self._config.seed)
        if self._config.sweeps and None not in given.values():
            return self._refitted(Trial(given), first, self._config.sweeps)
        chosen = self._searched(given, first)
        if not self._objective.goes_on:
            sweeps = self._config.sweeps or int(chosen.best_sweep(self._known_judge).get("sweep", 1))
            return self._refitted(Trial(chosen.values), first, sweeps, chosen)
        return self._refitted(Trial(chosen.values), self._state.best_rows["items"], UPDATE_SWEEPS, chosen)

    @property
    def has_best(self) -> bool:
        """Whether there is a model to keep: the best that was judged or, where nothing is chosen, the last."""
        return bool(self._state.best_rows) and (self._judge is not None or self._unjudged is not None)

    def interrupted(self) -> Fit:
        """The best so far."""
        model = self._model(self._state.best_rows["users"], self._state.best_rows["items"])
        if self._unjudged is not None:
            return Fit(model, self._objective, self._unjudged.values, self._unjudged, interrupted=True)
        best = min(self._judged(), key=lambda trial: trial.cost(self._known_judge))
        return Fit(model, self._objective, best.values, Trial(best.values), best, self._state.trials, self._judge, True)

    @property
    def _known_judge(self) -> Validation:
        if self._judge is None:
            raise AssertionError("trials are judged before anything is asked of them")
        return self._judge

    def _judged(self) -> list[Trial]:
        """The trials that are over, and the one under way where it has a figure."""
        name = self._known_judge.name
        return [*self._state.trials, *(trial for trial in [self._state.current] if trial and name in trial.figures)]

    def _searched(self, given: dict[str, float | None], first: Floats) -> Trial:
        """The best trial: of the values given, and of those that are open any that the search comes to."""
        problem, self._judge = self._divided()

        def cost(point: Values) -> float:
            values = {name: value if value is not None else point[name] for name, value in given.items()}
            return self._tried(problem, values, first).cost(self._known_judge)

        open_values = {name: self._objective.start[name] for name, value in given.items() if value is None}
        climb(open_values, cost, self._judge.least_gain)
        return min(self._state.trials, key=lambda trial: trial.cost(self._known_judge))

    def _divided(self) -> tuple[Problem, Validation]:
        """The part of the ratings to fit to while choosing, and the part to judge by."""
        ratings, config = self._ratings, self._config
        fitted, held_out = random_split(len(ratings), config.validation_fraction, config.seed)
        fitted.sort()
        judge = validation_of(ratings, fitted, held_out, self._objective, config.seed)
        return Problem(ratings, fitted, self._objective), judge

    def _tried(self, problem: Problem, values: Values, first: Floats) -> Trial:
        """The trial of `values`: looked up, taken up again, or run."""
        state, judge = self._state, self._known_judge
        if known := state.of(values):
            return known
        goes_on = self._objective.goes_on and state.best_rows
        rows = state.best_rows["items"] if goes_on else first
        trial, users, items = self._taken_up(problem, Trial(values), rows)
        best = min(state.trials, key=lambda trial: trial.cost(judge), default=None)
        most = self._config.sweeps or MOST_SWEEPS
        while not trial.curve or (
            len(trial.curve) < most and not is_over(trial, judge, self._objective.patience, best)
        ):
            self._sweep(problem, trial, users, items, f"trial {len(state.trials) + 1}", judge)
        trial.given_up = len(trial.curve) < most and not has_settled(trial, judge, self._objective.patience)
        state.trials.append(trial)
        state.current = None
        self._report.tried(trial, judge)
        return trial

    def _refitted(self, trial: Trial, rows: Floats, sweeps: int, chosen: Trial | None = None) -> Fit:
        """The model fitted to all ratings by `sweeps` sweeps from the items' `rows`."""
        problem = Problem(self._ratings, slice(None), self._objective)
        trial, users, items = self._taken_up(problem, trial, rows)
        self._unjudged = None if chosen else trial
        while len(trial.curve) < sweeps:
            self._sweep(problem, trial, users, items, "all ratings")
        times = "1 sweep" if sweeps == 1 else f"{sweeps} sweeps"
        self._report.say(f"{named(trial.values)}: fitted to all ratings in {times}, {trial.seconds:.1f} s")
        model = self._model(users.rows, items.rows)
        return Fit(model, self._objective, trial.values, trial, chosen, self._state.trials, self._judge)

    def _taken_up(self, problem: Problem, trial: Trial, rows: Floats) -> tuple[Trial, Side, Side]:
        """The trial from where it stood when it was interrupted, else from `rows`; its sides."""
        state = self._state
        if state.current is not None and state.current.values == trial.values and state.item_rows is not None:
            trial, rows = state.current, state.item_rows
        state.current, state.item_rows = trial, None
        return trial, *problem.sides(rows, trial.values)

    def _sweep(
        self, problem: Problem, trial: Trial, users: Side, items: Side, name: str, judge: Validation | None = None
    ) -> None:
        """One more sweep of `trial`, judged where there is a `judge`, checked and followed."""
        # Before the sweep: after the last one the users would be needed too, for they were solved from earlier items.
        if self._checkpoint:
            self._checkpoint.follow(self._state, lambda: items.rows)
        number = len(trial.curve) + 1
        self._report.sweep(name, number, problem.work)
        started = time.monotonic()
        rmse = problem.sweep(users, items, trial.values, self._report.advance)
        sweep = {"sweep": number, "rmse": rmse * self._objective.unit}
        check_finite(trial, sweep)
        if judge is not None:
            sweep[judge.name] = judge.measure(users, items)
        sweep["seconds"] = time.monotonic() - started
        check_finite(trial, sweep)
        trial.curve.append(sweep)
        if judge is not None:
            self._keep_if_best(judge, sweep[judge.name], users, items)
        elif self._unjudged is not None:
            self._state.best_rows = {"users": users.rows, "items": items.rows}
        self._report.swept(sweep)
        if self._watch:
            self._watch(self._objective, users, items)

    def _keep_if_best(self, judge: Validation, figure: float, users: Side, items: Side) -> None:
        figures = [sweep[judge.name] for trial in self._judged() for sweep in trial.curve]
        if judge.better * figure >= max(judge.better * other for other in figures):
            self._state.best_rows = {"users": users.rows, "items": items.rows}

    def _model(self, users: Floats, items: Floats) -> MatrixFactorisation:
        model = MatrixFactorisation(len(users), len(items), self._config.dim)
        model.assign(self._objective.parameters(users, items))
        return model
