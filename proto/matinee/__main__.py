"""The `matinee` command: finds the room that a verb belongs to, imports that room alone and hands over."""

import importlib
import sys
from collections.abc import Sequence

from matinee.command import DONE, FAILED, WRONG_USAGE, say

# verb: (module whose main(arguments) runs it, extra that brings what it needs, one line of help)
VERBS = {
    "demo": ("matinee.demo", "all", "the whole chain once: data, training, index, server, a swap"),
    "sample": ("training.__main__", "training", "write synthetic ratings shaped like MovieLens"),
    "download": ("training.__main__", "training", "fetch a MovieLens data set by name"),
    "ratings": ("training.__main__", "training", "summarise ratings, or show one user's history"),
    "prepare": ("training.__main__", "training", "parse ratings once, for training at any size"),
    "train": ("training.__main__", "training", "ratings → embeddings"),
    "evaluate": ("training.__main__", "training", "measure embeddings on held-out ratings, beside baselines"),
    "import-notebook": ("training.__main__", "training", "what the notebook saved → embeddings"),
    "import-arrays": ("training.__main__", "training", "any model's vectors of users and items → embeddings"),
    "index": ("indexer.__main__", "indexer", "embeddings → bundle, published in a store"),
    "store": ("indexer.__main__", "indexer", "list, verify, activate, roll back or prune the versions of a store"),
    "serve": ("server.__main__", "server", "answer recommendations over gRPC from a store"),
    "token": ("server.__main__", "server", "make a bearer token for a server's --token-file"),
    "top": ("matinee.top", "", "what a server does now: calls, latency, errors, versions"),
    "recommend": ("matinee.lookup", "", "ask a server for a user's recommendations"),
    "similar": ("matinee.lookup", "", "ask a server for the items most like one item"),
    "rate": ("matinee.lookup", "", "ask a server for what suits somebody new, from a few ratings"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (those of the process where None); the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    verb = arguments[0] if arguments else "--help"
    if verb in ("-h", "--help"):
        print(_help())
        return DONE
    if verb == "--version":
        print(_version())
        return DONE
    if verb not in VERBS:
        say(f"matinee: no command {verb!r}; there are {', '.join(VERBS)}")
        return WRONG_USAGE
    module, extra, _ = VERBS[verb]
    try:
        room = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not extra:
            raise
        say(f"matinee {verb}: {error.name} is not installed; pip install 'matinee[{extra}]'")
        return FAILED
    status: int = room.main(arguments)
    return status


def _help() -> str:
    lines = [f"  {verb:<15} {text}" for verb, (_, _, text) in VERBS.items()]
    return "\n".join(
        [
            "usage: matinee COMMAND …",
            "",
            "Turns ratings into a recommendation service.",
            "",
            *lines,
            "",
            "matinee COMMAND --help explains one; start with: matinee demo",
        ]
    )


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    for distribution in ("matinee", "matinee-client"):
        try:
            return f"{distribution} {version(distribution)}"
        except PackageNotFoundError:
            continue
    return "matinee, not installed"


if __name__ == "__main__":
    sys.exit(main())
