"""What a person sees of a fit: a bar for the sweep under way, and a line for what each trial came to."""

from collections.abc import Mapping
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from training.fitting.objectives import Values
from training.fitting.trial import Trial
from training.fitting.validation import Validation


class Report:
    """Tells `console`; a context that takes its bar off the screen at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[figure]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", figure="", visible=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """A line."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def sweep(self, name: str, number: int, work: int) -> None:
        """Start the bar of a sweep of `work` interactions."""
        self._progress.reset(self._task, description=f"{name}, sweep {number}", total=work, visible=True)

    def advance(self, work: int) -> None:
        """Move it."""
        self._progress.advance(self._task, work)

    def swept(self, sweep: Mapping[str, float]) -> None:
        """Show beside the bar what the last sweep came to."""
        figures = (f"{name} {value:.4f}" for name, value in sweep.items() if name not in ("sweep", "seconds"))
        self._progress.update(self._task, figure="  ".join(figures))

    def tried(self, trial: Trial, judge: Validation) -> None:
        """The line of a trial."""
        best = trial.best_sweep(judge)
        self.say(
            f"{named(trial.values):<42} {judge.name} {best[judge.name]:.4f} after {int(best['sweep']):>2} of "
            f"{len(trial.curve):>2} sweeps, {trial.seconds:.1f} s{', given up' if trial.given_up else ''}"
        )


def named(values: Values) -> str:
    """Hyper-parameters as a person reads them."""
    return ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in values.items())
