"""The wheels, built and tried away from the tree, each with no more than it says it needs."""

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import random_embeddings
from training.embeddings import write_embeddings

ROOT = Path(__file__).resolve().parent.parent
# The stubs must load with the whole range of protobuf that pyproject.toml allows: the lock has its lower half.
NEWEST_PROTOBUF = "protobuf==7.36.2"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run away from the tree, with nothing of this environment's Python in the way."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def build(project: Path, out: Path) -> Path:
    done = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, project, cwd=out)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


def install(folder: Path, *requirements: str) -> Path:
    """A fresh environment with `requirements`, at the versions that the project pins; its bin folder."""
    venv.create(folder, with_pip=True)
    # Each pin with its marker, without its hashes: pip takes no hashes beside a wheel that was built just now.
    pins = re.findall(r"^([\w.-]+==[^\\\n]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    named = {re.split("[=<>]", requirement)[0] for requirement in requirements}
    kept = [pin for pin in pins if pin.split("==")[0] not in named]
    (folder / "constraints.txt").write_text("\n".join(kept))
    pip: list[str | Path] = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = run(*pip, "--constraint", folder / "constraints.txt", *requirements, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("away")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def client_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = build(ROOT / "proto", tmp_path_factory.mktemp("client-wheel"))
    return install(tmp_path_factory.mktemp("client"), str(built), NEWEST_PROTOBUF)


@pytest.fixture(scope="module")
def server_bin(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    return install(tmp_path_factory.mktemp("server"), f"{wheel}[server]")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, server_bin: Path, away: Path) -> Iterator[str]:
    """The address of a server that runs from the wheel with the server extra alone."""
    folder = tmp_path_factory.mktemp("model")
    write_embeddings(random_embeddings(), folder / "embeddings")
    published = run(server_bin / "matinee", "index", folder / "embeddings", folder / "store", cwd=away)
    assert published.returncode == 0, published.stderr
    command: list[str | Path] = [
        server_bin / "matinee",
        "serve",
        folder / "store",
        "--address",
        "127.0.0.1:0",
        "--json",
    ]
    process = subprocess.Popen(command, cwd=away, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())["address"]
    process.terminate()
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def test_the_wheel_holds_every_room_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "matinee", "training", "indexer", "server",
    }  # fmt: skip
    assert "matinee/v1/recommender.proto" in names
    assert "training/evaluation/report/templates/page.html" in names
    assert "matinee/py.typed" in names


def test_the_client_alone_asks_a_server_that_runs_on_the_server_extra_alone(
    client_bin: Path, served: str, away: Path
) -> None:
    answer = run(client_bin / "matinee", "recommend", "1", "--k", "3", "--server", served, "--json", cwd=away)
    assert answer.returncode == 0, answer.stderr
    assert len(json.loads(answer.stdout)["items"]) == 3


def test_top_needs_the_client_alone(client_bin: Path, away: Path) -> None:
    refused = run(client_bin / "matinee", "top", "--metrics", "127.0.0.1:1", "--once", cwd=away)
    assert refused.returncode == 1
    assert refused.stderr.startswith("matinee: no metrics at 127.0.0.1:1")


def test_the_client_brings_only_grpc_and_protobuf(client_bin: Path, away: Path) -> None:
    listed = run(client_bin / "pip", "list", "--format", "json", "--disable-pip-version-check", cwd=away)
    names = {package["name"].lower() for package in json.loads(listed.stdout)}
    assert names - {"pip", "setuptools"} == {"matinee-client", "grpcio", "protobuf", "typing_extensions"}


def test_the_server_extra_brings_neither_tensorflow_nor_pandas(server_bin: Path, away: Path) -> None:
    found = run(server_bin / "python", "-c", "import tensorflow", cwd=away)
    assert "ModuleNotFoundError" in found.stderr
    assert "ModuleNotFoundError" in run(server_bin / "python", "-c", "import pandas", cwd=away).stderr


@pytest.mark.parametrize(("verb", "extra"), [("train", "training"), ("serve", "server"), ("index", "indexer")])
def test_a_missing_extra_fails_with_the_sentence_that_repairs_it(
    client_bin: Path, away: Path, verb: str, extra: str
) -> None:
    refused = run(client_bin / "matinee", verb, "a", "b", cwd=away)
    assert refused.returncode == 1
    assert f"pip install 'matinee[{extra}]'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_training_asked_of_the_server_extra_names_the_training_extra(server_bin: Path, away: Path) -> None:
    refused = run(server_bin / "matinee", "train", "a", "b", cwd=away)
    assert refused.returncode == 1
    assert "pip install 'matinee[training]'" in refused.stderr
    assert "Traceback" not in refused.stderr
