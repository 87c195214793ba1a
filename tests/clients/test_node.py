"""A client in another language, made by server reflection alone: what any backend can do."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matinee.v1 import recommender_pb2 as pb
from server.service import Server
from tests.server.running import publish, running
from tests.world import oracle, predicted_ratings, random_embeddings

HERE = Path(__file__).parent / "node"
WORLD = random_embeddings()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client with its packages, installed as the lock file says."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node.js here: make debian installs it")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "client.js"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    if done.returncode != 0:
        pytest.skip(f"npm could not fetch the client's packages: {done.stderr.strip()[-300:]}")
    return folder


def ask(project: Path, server: Server) -> dict[str, Any]:
    command = ["node", "client.js", str(server.address), "7", "i3"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_stranger_in_node_learns_the_schema_and_gets_right_answers_and_errors(project: Path, tmp_path: Path) -> None:
    publish(tmp_path, WORLD)
    with running(tmp_path) as server:
        told = ask(project, server)

    assert set(told["services"]) == {
        "matinee.v1.Recommender",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert told["methods"] == ["Recommend", "SimilarItems", "PredictRatings", "GetItems"]
    expected = oracle(WORLD, 6, 10, WORLD.catalogue.seen[6])
    assert [item["item_id"] for item in told["by_default"]["items"]] == [WORLD.catalogue.item_ids[r] for r in expected]
    assert told["recommend"]["items"] == told["by_default"]["items"][:3]
    scores = [item["score"] for item in told["by_default"]["items"]]
    np.testing.assert_allclose(scores, predicted_ratings(WORLD, 6)[expected], atol=1e-5)
    assert told["recommend"]["score_kind"] == pb.SCORE_KIND_RATING
    assert len(told["similar"]["items"]) == 2
    assert told["items"]["items"][0]["title"] == "Title of i3"
    rating = float(predicted_ratings(WORLD, 6)[WORLD.catalogue.item_ids.row("i3")])
    assert told["predicted"]["ratings"][0]["rating"] == pytest.approx(rating, abs=1e-5)
    assert told["unknown_user"] == {
        "code": "NOT_FOUND",
        "details": "user_id 'nobody': the model was not trained on this user",
    }
    assert told["k_of_zero"] == {"code": "INVALID_ARGUMENT", "details": "k is 0; it must be 1 to 1000"}


def test_the_lock_file_names_no_registry() -> None:
    locked = json.loads((HERE / "package-lock.json").read_text())
    packages = [package for name, package in locked["packages"].items() if name]
    assert packages
    assert all("resolved" not in package and "integrity" in package for package in packages)
