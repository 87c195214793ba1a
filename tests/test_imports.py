"""The arrows between the rooms, read from the imports of every file, and proved in a fresh process."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {"matinee": ROOT / "proto" / "matinee", **{room: ROOT / room for room in ("training", "indexer", "server")}}
FORBIDDEN = {
    "matinee": {"numpy", "faiss", "tensorflow", "training", "indexer", "server"},
    "training": {"faiss", "grpc", "indexer", "server"},
    "indexer": {"tensorflow", "keras", "grpc", "server"},
    "server": {"tensorflow", "keras", "training"},
}


def imported(file: Path) -> Iterator[str]:
    """The top-level package of every import in `file`, those inside functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_nothing_that_it_must_not(room: str) -> None:
    files = sorted(ROOMS[room].rglob("*.py"))
    assert files
    broken = {str(file.relative_to(ROOT)): found for file in files if (found := FORBIDDEN[room] & set(imported(file)))}
    assert broken == {}


def test_proto_is_no_package_since_it_would_shadow_another() -> None:
    assert not (ROOT / "proto" / "__init__.py").exists()


@pytest.mark.parametrize("name", ["common", "utils", "base", "helpers"])
def test_no_module_is_named_for_nothing(name: str) -> None:
    assert [file for room in ROOMS.values() for file in room.rglob(f"{name}.py")] == []


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_server_runs_without_tensorflow() -> None:
    loaded = modules_after("import server.__main__, server.commands.serve, server.servicer")
    assert "faiss" in loaded
    assert not loaded & {"tensorflow", "keras", "pandas", "pyarrow"}


def test_the_command_and_the_client_need_no_numpy() -> None:
    loaded = modules_after("import matinee.__main__, matinee.lookup, matinee.demo\nfrom matinee import Client")
    assert "grpc" in loaded
    assert not loaded & {"numpy", "faiss", "tensorflow", "pydantic", "rich"}


def test_reading_embeddings_needs_neither_tensorflow_nor_pandas() -> None:
    assert not modules_after("import training.embeddings") & {"tensorflow", "keras", "pandas", "pyarrow", "grpc"}
