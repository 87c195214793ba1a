"""What goes wrong in this room.

TrainingError (a MatineeError)
├── RatingsError     the ratings can't be read or can't be learnt from: file, line, column, value
├── ArtefactError    a folder of arrays is missing, damaged, foreign or of another format version
├── DownloadError    a data set could not be fetched or verified
└── DivergedError    training ended in NaN or infinity
"""

from matinee.errors import MatineeError


class TrainingError(MatineeError):
    """Any failure of this room."""


class RatingsError(TrainingError):
    """The ratings can't be read or can't be learnt from."""


class ArtefactError(TrainingError):
    """A folder of arrays is missing, damaged, foreign, or of another format version."""


class DownloadError(TrainingError):
    """A data set could not be fetched, or what arrived is not what its hash says."""


class DivergedError(TrainingError):
    """Training ended in NaN or infinity."""
