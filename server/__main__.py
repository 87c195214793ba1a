"""The commands of this room: `matinee serve` and `matinee token`, also as `python -m server serve`."""

import sys
from collections.abc import Sequence

import matinee.settings
from matinee.settings import Commands
from server.commands.serve import Serve
from server.commands.token import Token

COMMANDS: Commands = {"serve": Serve, "token": Token}


def main(arguments: Sequence[str]) -> int:
    """Run `arguments`, the verb first; the exit status."""
    return matinee.settings.main(COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
