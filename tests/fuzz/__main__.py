"""Bytes that coverage guides, straight into the handlers, for an hour: `make fuzz`.

The first answer that no request may get ends it with a status other than 0; what led there is saved, and a line says
how to repeat it. Repeating needs no fuzzer.
"""

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path

from tests.fuzz.reader import Reader
from tests.fuzz.schema import METHODS, request_class
from tests.fuzz.worlds import WORLDS

FOLDER = Path(".fuzz")
_CORPUS, _CRASHES = FOLDER / "corpus", FOLDER / "crashes"

Ask = Callable[[bytes], object]


def main() -> int:
    """Fuzz, or repeat FILEs; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="how long; default %(default)g")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="repeat these instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return repeat(options.files, Path(folder)) if options.files else fuzz(options.minutes, Path(folder))


def repeat(files: list[Path], folder: Path) -> int:
    """Ask what each of the files asks."""
    from tests.fuzz.handlers import Handlers, ask_the_index_for_few_rows_too

    ask_the_index_for_few_rows_too()
    handlers = Handlers(folder)
    for file in files:
        print(f"{file}: {handlers.ask(file.read_bytes()).name}")
    return 0


def fuzz(minutes: float, folder: Path) -> int:
    """Search for bytes with an unfair answer; libFuzzer ends the process where it finds them."""
    import atheris

    # What is imported here is watched for coverage: which lines the bytes reach is what leads to the next ones.
    with atheris.instrument_imports(include=["indexer", "server"]):
        from tests.fuzz.handlers import Handlers, ask_the_index_for_few_rows_too
    ask_the_index_for_few_rows_too()
    ask = Handlers(folder).ask
    for made in (_CORPUS, _CRASHES):
        made.mkdir(parents=True, exist_ok=True)
    _write_seeds()
    flags = {
        "max_total_time": round(minutes * 60),
        "artifact_prefix": f"{_CRASHES}{os.sep}",
        "max_len": 4096,
        "timeout": 30,
        "print_final_stats": 1,
    }
    arguments = [sys.argv[0], *(f"-{name}={value}" for name, value in flags.items()), str(_CORPUS)]
    atheris.Setup(arguments, lambda data: _told(ask, data))
    atheris.Fuzz()
    return 0


def _told(ask: Ask, data: bytes) -> None:
    try:
        ask(data)
    except BaseException:
        # libFuzzer saves it by this name.
        file = _CRASHES / f"crash-{hashlib.sha1(data).hexdigest()}"  # noqa: S324  a name, not a secret
        print(f"\nrepeat with: make fuzz ARGS={file}\n", file=sys.stderr, flush=True)
        raise


def _write_seeds() -> None:
    """One short input for every world, method and way of reading; the fuzzer goes on from there."""
    decisions = bytes(range(1, 64, 2))
    for (world, _), (method, name) in product(enumerate(WORLDS), enumerate(METHODS)):
        encoded = Reader(decisions).message(request_class(name)).SerializeToString()
        for is_message, rest in enumerate([encoded, decisions]):
            (_CORPUS / f"seed-{world}-{name}-{is_message}").write_bytes(bytes([world, method, is_message]) + rest)


if __name__ == "__main__":
    sys.exit(main())
