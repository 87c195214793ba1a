"""What a fit has done so far, kept where a killed one can go on from: to the same result, since all else follows.

Users are solved from items alone, so that the items' rows are the whole state between two sweeps.
"""

import glob
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.artefact import load_arrays, read_manifest, save_arrays, verify_files, write_artefact
from training.errors import ArtefactError
from training.fitting.interactions import Floats
from training.fitting.objectives import Values
from training.fitting.trial import Trial

KIND = "matinee-checkpoint"
FORMAT_VERSION = 1


@dataclass
class State:
    """What a fit has found out and where it stands."""

    trials: list[Trial] = field(default_factory=list)
    """Those that are over."""
    current: Trial | None = None
    """The one under way: of the search, or last the fit to all ratings."""
    item_rows: Floats | None = None
    """(n_items, width) where the current one stands."""
    best_rows: dict[str, Floats] = field(default_factory=dict)
    """`users` and `items` of the best model so far, by its figure."""

    def of(self, values: Values) -> Trial | None:
        """The trial of `values` that is over."""
        return next((trial for trial in self.trials if trial.values == values), None)


class Checkpoint:
    """A folder that follows the state of one fit."""

    def __init__(self, folder: Path, key: Mapping[str, Any], every_s: float) -> None:
        """`key` says what is fitted to what; `every_s` how old what is written may grow."""
        self.folder = folder
        self._key = dict(key)
        self._every_s = every_s
        self._written = time.monotonic()

    def read(self) -> State:
        """The state that was written; a new one where there is none.

        Raises ArtefactError where the folder is damaged, or of another fit.
        """
        if not self.folder.exists():
            return State()
        try:
            manifest = read_manifest(self.folder, KIND, FORMAT_VERSION)
            verify_files(self.folder, manifest)
        except ArtefactError as error:
            raise ArtefactError(
                f"no fit can go on from a damaged checkpoint ({error}); leave --resume out to start anew"
            ) from error
        found = manifest["key"]
        if other := [name for name, value in self._key.items() if found.get(name) != value]:
            name = other[0]
            raise ArtefactError(
                f"{self.folder}: is of another fit, with {name} {found.get(name)!r} and not {self._key[name]!r}; "
                "repeat the command that was interrupted, or leave --resume out to start anew"
            )
        arrays = load_arrays(self.folder, manifest)
        current = manifest["current"]
        return State(
            trials=[Trial(**trial) for trial in manifest["trials"]],
            current=None if current is None else Trial(**current),
            item_rows=arrays.get("item_rows"),
            best_rows={side: arrays[f"best_{side}"] for side in ("users", "items") if f"best_{side}" in arrays},
        )

    def follow(self, state: State, item_rows: Callable[[], Floats]) -> None:
        """Write `state`, where it is time to; `item_rows` gives the rows of the trial under way."""
        if time.monotonic() - self._written < self._every_s:
            return
        arrays = {f"best_{side}": rows for side, rows in state.best_rows.items()}
        description = {
            "key": self._key,
            "trials": [vars(trial) for trial in state.trials],
            "current": None if state.current is None else vars(state.current),
        }
        if state.current is not None:
            arrays["item_rows"] = item_rows()
        contiguous = {name: np.ascontiguousarray(rows) for name, rows in arrays.items()}
        write_artefact(
            self.folder, KIND, FORMAT_VERSION, description, lambda draft: save_arrays(draft, contiguous), overwrite=True
        )
        self._written = time.monotonic()

    def remove(self) -> None:
        """The fit is done with; so is what a kill left of a checkpoint half written."""
        for folder in (self.folder, *self.folder.parent.glob(f".{glob.escape(self.folder.name)}.*.draft")):
            shutil.rmtree(folder, ignore_errors=True)
