"""A client in another language, made by server reflection alone: what any backend can do."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matinee.v1 import recommender_pb2 as pb
from tests.clients.conftest import HERE, Asked
from tests.fuzz.worlds import WORLDS
from tests.matinee.certificates import Certificates
from tests.world import oracle, predicted_ratings

WORLD = WORLDS["rating"]
IDS, SEEN = WORLD.catalogue.item_ids, WORLD.catalogue.seen[6]


def ask(project: Path, server: Asked) -> subprocess.CompletedProcess[str]:
    command, environment = ["node", "client.js", server.address, "7", "i3"], {**os.environ, **server.environment}
    return subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=False, timeout=120, env=environment
    )


def ids_of(answer: Any) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def test_a_stranger_learns_the_schema_and_gets_right_answers_and_errors(project: Path, server: Asked) -> None:
    done = ask(project, server)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)

    assert set(told["services"]) == {
        "matinee.v1.Recommender",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert told["methods"] == [method.name for method in pb.DESCRIPTOR.services_by_name["Recommender"].methods]
    best = oracle(WORLD, 6, 10, SEEN)
    assert ids_of(told["by_default"]) == [IDS[row] for row in best]
    assert told["recommend"]["items"] == told["by_default"]["items"][:3]
    scores = [item["score"] for item in told["by_default"]["items"]]
    np.testing.assert_allclose(scores, predicted_ratings(WORLD, 6)[best], atol=1e-5)
    assert told["recommend"]["score_kind"] == pb.SCORE_KIND_RATING
    assert len(told["similar"]["items"]) == 2
    assert told["items"]["items"][0]["title"] == "Title of i3"
    rating = float(predicted_ratings(WORLD, 6)[IDS.row("i3")])
    assert told["predicted"]["ratings"][0]["rating"] == pytest.approx(rating, abs=1e-5)

    allowed = {row for row in map(IDS.row, ("i1", "i2", "i3", "i4")) if row is not None and row % 2}
    others = sorted({*range(WORLD.n_items)} - allowed | {*SEEN.tolist()})
    assert ids_of(told["filtered"]) == [IDS[row] for row in oracle(WORLD, 6, 3, others)] != []
    assert len(told["from_ratings"]["items"]) == 2
    assert "i3" not in ids_of(told["from_ratings"])
    users = [user for response in told["batch"] for user in response["users"]]
    assert [(user["user_id"], user["is_unknown"]) for user in users] == [("7", False), ("nobody", True), ("7", False)]
    assert users[0]["items"] == users[2]["items"] == told["recommend"]["items"]

    refused = "user_id 'nobody': the model was not trained on this user"
    assert told["unknown_user"] == {"code": "NOT_FOUND", "details": refused}
    assert told["k_of_zero"] == {"code": "INVALID_ARGUMENT", "details": "k is 0; it must be 1 to 1000"}
    if server.environment:
        assert told["stranger"]["code"] == "UNAUTHENTICATED"
    else:
        assert told["stranger"] == told["by_default"]
    refused = "user_ids is a list of 0; it must be 1 to 1000000 ids"
    assert told["empty_batch"] == [{"code": "INVALID_ARGUMENT", "details": refused}]


def test_a_stranger_does_not_trust_whom_it_does_not_know(project: Path, server: Asked, tmp_path: Path) -> None:
    others = Certificates(tmp_path / "others")
    done = ask(project, replace(server, environment={**server.environment, "MATINEE_CA": str(others.ca)}))
    assert done.returncode == 1
    assert "UNAVAILABLE" in done.stderr


def test_the_lock_file_names_no_registry() -> None:
    locked = json.loads((HERE / "package-lock.json").read_text())
    packages = [package for name, package in locked["packages"].items() if name]
    assert packages
    assert all("resolved" not in package and "integrity" in package for package in packages)
