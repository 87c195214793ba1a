import json
import os
import pty
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import Any

import pytest
from google.protobuf.message import Message

from matinee.__main__ import main
from matinee.table import print_items
from matinee.v1 import recommender_pb2 as pb
from server.service import Server
from tests.matinee.certificates import Certificates
from tests.matinee.fake import Answer, serving
from tests.server.running import publish, running
from tests.world import checker_board, fit_to_rank
from training.columns import Strings

TITLES = ["Alien", "七人の侍", "Amélie", "Solaris", "Stalker"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = tmp_path_factory.mktemp("store")
    world = checker_board()
    titles = Strings.of([TITLES[row // 2 % len(TITLES)] for row in range(world.n_items)])
    publish(store, replace(world, catalogue=replace(world.catalogue, item_titles=titles)))
    with running(store) as server:
        yield server


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATINEE_SERVER", str(server.address))


def test_recommend_prints_a_ranked_table(capsys: pytest.CaptureFixture[str], server: Server) -> None:
    assert main(["recommend", "0", "--k", "2", "--exclude", "6"]) == 0
    assert capsys.readouterr().out == (
        "rank  item  title    predicted rating\n"
        "   1  4     Amélie             4.0000\n"
        "   2  8     Stalker            4.0000\n"
        "\n"
        f"model version {server.live.version}\n"
    )


def test_columns_stand_under_each_other_whatever_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    print_items([("1", "七人の侍", 4.5), ("22", "Amélie", 4.25), ("333", "Ame\u0301lie", 10.0)], score="score")
    assert capsys.readouterr().out == (
        "rank  item  title       score\n"
        "   1  1     七人の侍   4.5000\n"
        "   2  22    Amélie     4.2500\n"
        "   3  333   Ame\u0301lie    10.0000\n"
    )


def test_a_title_can_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    print_items([("a\tb", "Alien\x1b[2J\r\n\u202e\xa0", 1.0)], score="score")
    line = capsys.readouterr().out.splitlines()[1]
    assert r"a\tb" in line
    assert r"Alien\x1b[2J\r\n\u202e " in line
    assert line.isprintable()


def test_json_is_one_document(capsys: pytest.CaptureFixture[str], server: Server) -> None:
    assert main(["recommend", "0", "--k", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "items": [{"item_id": "4", "score": 4.0, "title": "Amélie"}],
        "model_version": server.live.version,
        "score_kind": "rating",
    }
    assert main(["similar", "0", "--k", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["score_kind"] == "cosine"


def test_a_model_fit_to_rank_has_preferences_and_no_ratings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path, fit_to_rank(checker_board()))
    with running(tmp_path) as ranking:
        assert main(["recommend", "0", "--k", "1", "--server", str(ranking.address)]) == 0
        table = capsys.readouterr().out
        assert main(["recommend", "0", "--k", "1", "--json", "--server", str(ranking.address)]) == 0
        document = json.loads(capsys.readouterr().out)
    assert table.splitlines()[:2] == ["rank  item  title  preference", "   1  4     even       1.0000"]
    assert "rating" not in table
    assert document["score_kind"] == "preference"


def test_the_flags_are_the_requests_fields(capsys: pytest.CaptureFixture[str]) -> None:
    def items(*arguments: str) -> list[str]:
        assert main([*arguments, "--json"]) == 0
        return [item["item_id"] for item in json.loads(capsys.readouterr().out)["items"]]

    assert items("recommend", "0", "--k", "2", "--include-seen") == ["0", "2"]
    assert items("recommend", "0", "--k", "2", "--exclude", "4", "--exclude", "8") == ["6", "10"]
    assert len(items("recommend", "0")) == 10
    assert items("similar", "1", "--k", "2", "--exclude", "3") == ["5", "7"]


def test_what_the_server_refuses_is_one_sentence(capsys: pytest.CaptureFixture[str], server: Server) -> None:
    assert main(["recommend", "nobody"]) == 1
    assert main(["similar", "1", "--k", "0"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"matinee: {server.address}: user_id 'nobody': the model was not trained on this user",
        f"matinee: {server.address}: k is 0; it must be 1 to 1000",
    ]


def test_nobody_there_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", "1", "--server", "127.0.0.1:1"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("matinee: 127.0.0.1:1: ")
    assert told.endswith("is a server running there? start one with: matinee serve STORE\n")


def test_a_server_without_a_model_is_told_from_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path) as empty:
        assert main(["recommend", "1", "--server", str(empty.address)]) == 1
    told = capsys.readouterr().err
    assert "matinee index EMBEDDINGS STORE" in told
    assert "matinee serve" not in told


@pytest.mark.parametrize("arguments", [["recommend"], ["similar", "1", "--k", "x"], ["recommend", "1", "--dance"]])
def test_wrong_usage_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert f"matinee {arguments[0]}" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["recommend", "similar", "rate"])
def test_the_help_shows_how_to_begin(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert caught.value.code == 0
    assert f"matinee {verb} " in capsys.readouterr().out.split("examples:")[1]


def test_titles_are_cut_to_the_terminal_and_to_nothing_else() -> None:
    code = f"from matinee.table import print_items; print_items([('1', {'x' * 200!r}, 1.0)], score='score')"
    assert max(map(len, in_a_terminal(code, columns=60))) == 60
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "x" * 200 in piped


def in_a_terminal(code: str, columns: int) -> list[str]:
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "LINES"}}
    subprocess.run([sys.executable, "-c", code], stdin=theirs, stdout=theirs, env=environment, check=True)
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        return (terminal.read(4096) or b"").decode().splitlines()


def test_a_terminal_without_unicode_is_written_to() -> None:
    code = "from matinee.table import print_items; print_items([('1', '七人の侍', 1.0)], score='score')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert r"\u4e03\u4eba" in done.stdout


ANSWERED = pb.ScoredItem(item_id="7", score=1.5, title="Alien")
ANSWERS: dict[str, Answer] = {
    "Recommend": lambda *_: pb.RecommendResponse(
        items=[ANSWERED], model_version="v", score_kind=pb.SCORE_KIND_POPULARITY
    ),
    "SimilarItems": lambda *_: pb.SimilarItemsResponse(items=[ANSWERED], model_version="v"),
    "RecommendFromRatings": lambda *_: pb.RecommendFromRatingsResponse(
        items=[ANSWERED], model_version="v", score_kind=pb.SCORE_KIND_RATING, ignored_item_ids=["b\x1b"]
    ),
}
FILTERS = ["--k", "3", "--exclude", "1", "--exclude", "2", "--only", "3", "--tag", "Drama", "--no-tag", "War"]
FILTERED: dict[str, Any] = {
    "k": 3,
    "exclude_item_ids": ["1", "2"],
    "only_item_ids": ["3"],
    "any_tags": ["Drama"],
    "no_tags": ["War"],
}
OF_USERS = ["--include-seen", "--item-bias-weight", "-0.5"]


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        (
            ["recommend", "0", *FILTERS, *OF_USERS, "--popular-if-unknown"],
            pb.RecommendRequest(
                user_id="0", include_seen=True, item_bias_weight=-0.5, popular_if_unknown=True, **FILTERED
            ),
        ),
        (["recommend", "0"], pb.RecommendRequest(user_id="0", k=10)),
        (["similar", "0", *FILTERS], pb.SimilarItemsRequest(item_id="0", **FILTERED)),
        (
            ["rate", "a=4.5", "b=c=1", *FILTERS, *OF_USERS],
            pb.RecommendFromRatingsRequest(
                ratings=[pb.Rating(item_id="a", rating=4.5), pb.Rating(item_id="b=c", rating=1)],
                include_seen=True,
                item_bias_weight=-0.5,
                **FILTERED,
            ),
        ),
    ],
    ids=["recommend", "by default", "similar", "rate"],
)
def test_every_flag_is_a_field_of_the_request(arguments: list[str], request_: Message) -> None:
    with serving(ANSWERS) as fake:
        assert main([*arguments, "--server", fake.address]) == 0
    assert [asked.request for asked in fake.asked] == [request_]


def test_what_a_list_is_made_of_stands_over_it(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(ANSWERS) as fake:
        assert main(["recommend", "0", "--popular-if-unknown", "--server", fake.address]) == 0
        assert capsys.readouterr().out.splitlines()[0].endswith("ratings")
        assert main(["rate", "a=4.5", "--server", fake.address]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "rank  item  title  predicted rating",
        "   1  7     Alien            1.5000",
        "",
        r"not rated, since the model does not know them: b\x1b",
        "",
        "model version v",
    ]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (["318"], "'318' is no rating; write ITEM_ID=RATING, such as 318=4.5"),
        (["318=good"], "'318=good' is no rating"),
        (["=4"], "'=4' is no rating"),
        (["318=4", "318=5"], "318 is rated twice"),
    ],
)
def test_a_rating_that_is_none_is_wrong_usage(pairs: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rate", *pairs]) == 2
    assert words in capsys.readouterr().err


def test_a_token_comes_from_a_file_or_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("from-a-file\n")
    with serving(ANSWERS) as fake:
        monkeypatch.setenv("MATINEE_TOKEN", "from-the-environment")
        assert main(["recommend", "0", "--server", fake.address]) == 0
        assert main(["recommend", "0", "--server", fake.address, "--token-file", str(file)]) == 0
        monkeypatch.delenv("MATINEE_TOKEN")
        assert main(["recommend", "0", "--server", fake.address]) == 0
    sent = [asked.metadata.get("authorization") for asked in fake.asked]
    assert sent == ["Bearer from-the-environment", "Bearer from-a-file", None]


def test_a_token_file_that_holds_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "token"
    assert main(["recommend", "0", "--token-file", str(file)]) == 1
    file.write_text(" \n")
    assert main(["recommend", "0", "--token-file", str(file)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"matinee: {file}: No such file or directory",
        f"matinee: {file} is empty; it must hold the token",
    ]


def test_tls_flags_are_who_is_trusted_and_who_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificates = Certificates(tmp_path)
    ours = ["--tls-cert", str(certificates.cert), "--tls-key", str(certificates.key)]
    with serving(ANSWERS, certificates.credentials(mutual=True)) as fake:
        ask = ["recommend", "0", "--server", fake.address]
        assert main([*ask, "--tls-ca", str(certificates.ca), *ours]) == 0
        assert main([*ask, "--tls", *ours]) == 1
        assert main([*ask, "--tls-ca", str(certificates.ca)]) == 1
        assert main(ask) == 1
        assert main([*ask, "--tls-ca", str(certificates.ca), "--tls-server-name", "another", *ours]) == 1
        assert main([*ask, "--tls-ca", str(certificates.ca), "--tls-cert", str(certificates.cert)]) == 2
        assert main([*ask, "--tls-ca", str(tmp_path / "none.pem")]) == 1
        assert fake.n_asked == 1
    assert all(line.startswith("matinee: ") for line in capsys.readouterr().err.splitlines())


def test_several_servers_are_asked() -> None:
    with serving(ANSWERS) as one, serving(ANSWERS) as other:
        assert main(["recommend", "0", "--server", f"{one.address},{other.address}"]) == 0
        assert one.n_asked + other.n_asked == 1
