"""The examples in docs/clients that can be run here are, as a person would run them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from matinee.connection import Retry, service_config
from matinee.v1 import recommender_pb2 as pb
from tests.clients.conftest import EXAMPLES, ROOT, Asked
from tests.fuzz.worlds import WORLDS
from tests.matinee.fake import Answer, serving
from tests.world import oracle

WORLD = WORLDS["rating"]
RANKED = [WORLD.catalogue.item_ids[row] for row in oracle(WORLD, 6, 5, WORLD.catalogue.seen[6])]


@pytest.fixture(params=["node", "python"])
def command(request: pytest.FixtureRequest) -> list[str]:
    """What runs one example."""
    if request.param == "node":
        return ["node", str(request.getfixturevalue("project") / "clients" / "node" / "recommend.js")]
    return [sys.executable, str(EXAMPLES / "python" / "recommend.py")]


def run(command: list[str], address: str, *user_ids: str, **extra: str) -> subprocess.CompletedProcess[str]:
    environment: Mapping[str, str] = {**os.environ, "PROTO": str(ROOT / "proto"), **extra}
    arguments = [*command, address, *user_ids]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120, env=environment)


def test_an_example_prints_what_the_server_recommends(command: list[str], server: Asked) -> None:
    done = run(command, server.address, "7", "8", "nobody", **server.environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:5]] == RANKED
    assert all(line.endswith("SCORE_KIND_RATING") for line in lines[:5])
    assert lines[5] == f"7 {' '.join(RANKED)}"
    assert [line.split()[0] for line in lines[6:]] == ["8", "nobody"]


def test_an_example_tells_errors_by_their_status(command: list[str], server: Asked) -> None:
    done = run(command, server.address, "nobody", **server.environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "new here: user_id 'nobody': the model was not trained on this user"
    done = run(command, server.address, "", **server.environment)
    assert done.returncode == 1
    assert "INVALID_ARGUMENT: user_id is empty" in done.stderr


def test_an_example_sends_its_token_with_every_call(command: list[str]) -> None:
    answers: dict[str, Answer] = {
        "Recommend": lambda *_: pb.RecommendResponse(),
        "BatchRecommend": lambda *_: iter([pb.BatchRecommendResponse()]),
    }
    with serving(answers) as fake:
        assert run(command, fake.address, "7", MATINEE_TOKEN="t").returncode == 0  # noqa: S106  a test's
    assert [asked.metadata.get("authorization") for asked in fake.asked] == ["Bearer t"] * 2
    assert [list(asked.request.no_tags) for asked in fake.asked[:1]] == [["War"]]


def test_examples_try_again_as_the_client_does() -> None:
    assert json.loads((EXAMPLES / "retries.json").read_text()) == json.loads(
        json.dumps(service_config(Retry())).replace('"0.020000s"', '"0.020s"').replace('"0.500000s"', '"0.500s"')
    )
