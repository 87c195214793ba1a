"""The commands of this room."""

import sys
from collections.abc import Sequence

import matinee.settings
from indexer.commands.index import IndexCommand
from indexer.commands.store.activate import ActivateCommand
from indexer.commands.store.diff import DiffCommand
from indexer.commands.store.listing import ListCommand
from indexer.commands.store.prune import PruneCommand
from indexer.commands.store.rollback import RollbackCommand
from indexer.commands.store.show import ShowCommand
from indexer.commands.store.verify import VerifyCommand

_STORE = matinee.settings.Group(
    "list, compare, verify, activate, roll back or prune the versions of a store",
    {
        "list": ListCommand,
        "show": ShowCommand,
        "diff": DiffCommand,
        "verify": VerifyCommand,
        "activate": ActivateCommand,
        "rollback": RollbackCommand,
        "prune": PruneCommand,
    },
)
COMMANDS: matinee.settings.Commands = {"index": IndexCommand, "store": _STORE}


def main(arguments: Sequence[str]) -> int:
    """Run the command line `arguments`, the verb first; the exit status."""
    return matinee.settings.main(COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
