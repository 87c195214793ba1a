"""`matinee ratings`: the summary and one user's history."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matinee.command import DONE, FAILED
from training.__main__ import main
from training.data.summary import describe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n7,1,4,100\n7,2,5,50\n7,3,5,60\n7,4,1,900\n8,1,2,100\n8,1,3,200\n9,2,0.5,1\n"
    )
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,One (1995),A|B\n2,[Two] (1996),\n3,Three,A\n")
    return tmp_path


@given(st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=50))
def test_describe_says_what_pandas_says(values: list[float]) -> None:
    ours = describe(np.array(values, np.float32))
    theirs = pd.Series(values, dtype=np.float64).describe().to_dict()
    assert list(ours) == list(theirs)
    assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-4)


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["ratings", *arguments, "--json"]) == DONE
    return json.loads(capsys.readouterr().out)


def test_the_summary_counts_what_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = ask(capsys, str(folder))
    assert (summary["n_ratings"], summary["n_users"], summary["n_items"]) == (6, 3, 4)
    assert (summary["n_titles"], summary["n_repeated"]) == (3, 1)
    assert summary["rating"]["mean"] == pytest.approx((4 + 5 + 5 + 1 + 3 + 0.5) / 6)
    assert (summary["ratings_per_user"]["max"], summary["ratings_per_user"]["50%"]) == (4, 1)
    assert (summary["ratings_per_item"]["count"], summary["ratings_per_item"]["min"]) == (4, 1)


def test_a_history_has_the_best_first_then_the_latest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = ask(capsys, str(folder), "--user-id", "7", "--k", "3")["items"]
    assert [(item["item_id"], item["title"], item["rating"]) for item in items] == [
        ("3", "Three", 5), ("2", "[Two] (1996)", 5), ("1", "One (1995)", 4),
    ]  # fmt: skip
    assert items[2]["tags"] == ["A", "B"]


def test_people_see_tables_and_remarks_go_to_standard_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ratings", str(folder)]) == DONE
    said = capsys.readouterr()
    assert "6 ratings of 4 items by 3 users" in said.out
    assert "ratings per item" in said.out
    assert "1 rows rate an item that the same user rates again; the latest of each counts" in said.err
    assert main(["ratings", str(folder), "--user-id", "7"]) == DONE
    assert "[Two] (1996)" in capsys.readouterr().out


def test_an_unknown_user_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ratings", str(folder), "--user-id", "07"]) == FAILED
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()[-1]) == (
        "", "matinee: user '07' has no ratings here; ids go from '7' to '9'",
    )  # fmt: skip


def test_columns_are_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plays.csv").write_text("who,what,how\na,x,1\nb,y,2\n")
    (tmp_path / "things.csv").write_text("no,label,kinds\nx,Ex,p|q\n")
    flags = "--user-column who --item-column what --rating-column how --item-id-column no --title-column label"
    where = [str(tmp_path / "plays.csv"), "--items", str(tmp_path / "things.csv"), "--tags-column", "kinds"]
    items = ask(capsys, *where, *flags.split(), "--user-id", "a")["items"]
    assert items == [{"item_id": "x", "title": "Ex", "tags": ["p", "q"], "rating": 1.0, "timestamp": None}]
