"""The commands of this room, such as `matinee train`; `python -m training …` runs them too."""

import sys
from collections.abc import Sequence

from matinee import settings
from training.commands.download import Download
from training.commands.evaluate import Evaluate
from training.commands.import_arrays import ImportArrays
from training.commands.import_notebook import ImportNotebook
from training.commands.prepare import Prepare
from training.commands.ratings import RatingsSummary
from training.commands.sample import Sample
from training.commands.train import Train

COMMANDS: settings.Commands = {
    "sample": Sample,
    "download": Download,
    "ratings": RatingsSummary,
    "prepare": Prepare,
    "train": Train,
    "evaluate": Evaluate,
    "import-notebook": ImportNotebook,
    "import-arrays": ImportArrays,
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit status."""
    return settings.main(COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
