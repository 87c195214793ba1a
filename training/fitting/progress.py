"""What a person sees of a fit, and when it is given up."""

import math
import time
from collections.abc import Mapping
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from training.errors import DivergedError

_REFRESH_STEPS = 16


class Report(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """A bar of steps in each epoch, then one line an epoch; raises DivergedError where the loss is not finite."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        # Keras waits after every step for its figures, unless a callback says that it can do without.
        self.async_safe = True
        self.epochs: list[dict[str, float]] = []
        """For each epoch so far: rmse and val_rmse in rating units, and seconds."""
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002  # Keras's signature
        """Start the bar."""
        self._started = time.monotonic()
        self._progress.start()
        self._task = self._progress.add_task(f"epoch {epoch + 1}", total=self.params["steps"], speed="")

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002  # Keras's signature
        """Move the bar, now and then."""
        if batch % _REFRESH_STEPS == 0 and self._task is not None:
            steps_per_s = (batch + 1) / (time.monotonic() - self._started)
            self._progress.update(self._task, completed=batch + 1, speed=f"{steps_per_s:.0f} steps/s")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Replace the bar by the epoch's line."""
        self.close()
        seconds = time.monotonic() - self._started
        rmse, val_rmse = float(logs["rmse"]), float(logs["val_rmse"])
        if not all(map(math.isfinite, (float(logs["loss"]), rmse, val_rmse))):
            raise DivergedError(
                f"training ended in NaN or infinity in epoch {epoch + 1}; "
                "lower --learning-rate or raise --regularisation"
            )
        self.epochs.append({"rmse": rmse, "val_rmse": val_rmse, "seconds": seconds})
        self._console.print(
            f"epoch {epoch + 1:>3}  rmse {rmse:.4f}  val_rmse {val_rmse:.4f}  {seconds:.1f} s", highlight=False
        )

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._task is not None:
            self._progress.stop()
            self._progress.remove_task(self._task)
            self._task = None
