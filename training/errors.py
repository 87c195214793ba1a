"""What goes wrong in this room.

TrainingError (a MatineeError)
├── RatingsError     the ratings can't be read or can't be learnt from: file, line, column, value
├── ArtefactError    a folder of arrays is missing, damaged, foreign or of another format version
├── ImportingError   what another program wrote can't be imported: file, and row, byte or value
├── PlaceTakenError  something is already where a command would write
├── DownloadError    a data set could not be fetched or verified
└── DivergedError    training ended in NaN or infinity
"""

from pathlib import Path

from matinee.errors import MatineeError


class TrainingError(MatineeError):
    """Any failure of this room."""


class RatingsError(TrainingError):
    """The ratings can't be read or can't be learnt from."""


class ArtefactError(TrainingError):
    """A folder of arrays is missing, damaged, foreign, or of another format version."""


class ImportingError(TrainingError):
    """What another program wrote can't be imported."""


class PlaceTakenError(TrainingError):
    """Something is already where a command would write, and it was not told to replace it."""

    def __init__(self, place: Path) -> None:
        super().__init__(f"{place}: exists already; choose another place, or replace it with --overwrite")


class DownloadError(TrainingError):
    """A data set could not be fetched, or what arrived is not what its hash says."""


class DivergedError(TrainingError):
    """Training ended in NaN or infinity."""
