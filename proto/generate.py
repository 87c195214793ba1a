"""Writes the Python stubs beside each .proto: `python proto/generate.py`; `--check` only compares, for CI.

The generator is pinned (`grpcio-tools==1.76.0`): its output loads with every protobuf that TensorFlow 2.21 allows,
and the output of newer ones does not.
"""

import argparse
import os
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
OUTPUTS = ("--python_out", "--pyi_out", "--grpc_python_out", "--mypy_grpc_out")


def generate(folder: Path) -> list[Path]:
    """Compile every .proto below this folder into `folder`; the paths written, relative to it."""
    sources = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.proto"))
    with resources.as_file(resources.files("grpc_tools") / "_proto") as well_known:
        arguments = ["protoc", f"-I{ROOT}", f"-I{well_known}", *(f"{out}={folder}" for out in OUTPUTS), *sources]
        if protoc.main(arguments) != 0:
            raise SystemExit("protoc failed; its own message stands above")
    return sorted(path.relative_to(folder) for path in folder.rglob("*_pb2*.py*"))


def stale(committed: Path, fresh: Path, paths: list[Path]) -> list[Path]:
    """Those of `paths` whose committed text is missing or differs from the fresh one."""
    return [
        path
        for path in paths
        if not (committed / path).is_file() or (committed / path).read_bytes() != (fresh / path).read_bytes()
    ]


def main() -> int:
    """Generate, or compare under `--check`; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail where the committed stubs are not what is generated")
    # protoc looks for its plugins on PATH; they stand beside the Python that runs this.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    if not parser.parse_args().check:
        generate(ROOT)
        return 0
    with tempfile.TemporaryDirectory() as fresh:
        drifted = stale(ROOT, Path(fresh), generate(Path(fresh)))
    if drifted:
        print(
            f"{', '.join(map(str, drifted))}: not what the .proto gives; run python proto/generate.py", file=sys.stderr
        )
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())
