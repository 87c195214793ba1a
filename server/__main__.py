"""The commands of this room: `matinee serve`, also as `python -m server serve`."""

import sys
from collections.abc import Sequence

import matinee.settings
from server.commands.serve import Serve

COMMANDS = {"serve": Serve}


def main(arguments: Sequence[str]) -> int:
    """Run `arguments`, the verb first; the exit status."""
    return matinee.settings.main(COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
