"""The commands of this room: `matinee sample|download|ratings|prepare|train|evaluate`, or `python -m training …`."""

import sys
from collections.abc import Sequence

from matinee import settings
from training.commands.download import Download
from training.commands.evaluate import Evaluate
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
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit status."""
    return settings.main(COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
