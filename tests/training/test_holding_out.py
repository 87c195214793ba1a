"""The flags that say which ratings are held out: each way once, and what does not fit together."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import CliPositionalArg

from matinee import settings
from matinee.command import Result
from training.commands.holding_out import HoldingOut


class Hold(HoldingOut):
    """Holds ratings out and does nothing else."""

    ratings: CliPositionalArg[Path]
    """Where they lie."""

    def run(self) -> Result:
        self.check_holding_out(overwrite=False)
        kept, test = self.read_divided(self.ratings, seed=42)
        if test is not None:
            self.write_test(test)
        return {
            name: None
            if part is None
            else [f"{part.user_ids[u]}{part.item_ids[i]}" for u, i in zip(part.user_rows, part.item_rows, strict=True)]
            for name, part in (("kept", kept), ("test", test))
        }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Users a and b rate x, y and z on the first, second and third day of 2015, in this order; b then w in 2016."""
    days = [f"{user},{item},5,2015-01-0{day} 12:00:00" for user in "ab" for day, item in enumerate("xyz", 1)]
    lines = ["user_id,item_id,rating,timestamp", *days, "b,w,1,2016-02-01 00:00:00"]
    (tmp_path / "ratings.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "ratings.csv"


def hold(*arguments: object) -> int:
    return settings.main({"hold": Hold}, ["hold", *map(str, arguments), "--json"])


WAYS = {
    "nothing": ([], None),
    "last": (["--test-last", "1"], ["az", "bw"]),
    "last, said": (["--test-split", "last", "--test-last", "3"], ["by", "bz", "bw"]),
    "from a day on": (["--test-after", "2015-01-03"], ["az", "bz", "bw"]),
    "from a moment on": (["--test-after", "2015-01-03T12:00:01"], ["bw"]),
    "from a moment in its zone on": (["--test-after", "2015-01-03T14:00:01+02:00"], ["bw"]),
    "from seconds on": (["--test-split", "time", "--test-after", "1420286400"], ["az", "bz", "bw"]),
    "latest": (["--test-split", "time", "--test-fraction", "0.2"], ["bz", "bw"]),
    # random_split(7, 0.2, 42) holds out positions 0 and 1.
    "random": (["--test-fraction", "0.2"], ["ax", "ay"]),
    "random, said": (["--test-split", "random", "--test-fraction", "0.2"], ["ax", "ay"]),
}


@pytest.mark.parametrize(("flags", "expected"), WAYS.values(), ids=WAYS.keys())
def test_each_way_holds_out_what_it_says(
    flags: list[str], expected: list[str] | None, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hold(source, *flags) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert result["test"] == expected
    everything = ["ax", "ay", "az", "bx", "by", "bz", "bw"]
    assert result["kept"] == [pair for pair in everything if pair not in (expected or [])]


def test_what_is_held_out_is_written_and_can_be_the_test_of_another(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = source.parent / "deep" / "test.csv"
    assert hold(source, "--test-last", "1", "--test-out", file) == 0
    capsys.readouterr()
    assert hold(source, "--test", file) == 0
    result = json.loads(capsys.readouterr().out)
    assert (len(result["kept"]), result["test"]) == (7, ["az", "bw"])


WRONG = {
    "two of them": (
        ["--test-fraction", "0.1", "--test-last", "1"],
        "--test-fraction and --test-last do not go together",
    ),
    "a file and a share": (["--test", "x", "--test-fraction", "0.1"], "--test and --test-fraction do not go together"),
    "a file and a way": (["--test", "x", "--test-split", "last"], "--test and --test-split do not go together"),
    "random without a share": (["--test-split", "random"], "--test-split random needs --test-fraction"),
    "last without a number": (
        ["--test-split", "last", "--test-fraction", "0.1"],
        "--test-split last needs --test-last",
    ),
    "time without either": (["--test-split", "time"], "--test-split time needs --test-fraction or --test-after"),
    "time with a number": (["--test-split", "time", "--test-last", "2"], "needs --test-fraction or --test-after"),
    "nothing to write": (["--test-out", "x"], "--test-out needs --test-fraction, --test-last or --test-after"),
    "a folder": (["--test-fraction", "0.1", "--test-out", "/"], "--test-out is /, a folder; it must be a file"),
    "no moment": (["--test-after", "yesterday"], "--test-after is 'yesterday'"),
    "none of each": (["--test-last", "0"], "--test-last is '0': Input should be greater than or equal to 1"),
    "another way": (["--test-split", "leave-one-out"], "--test-split is 'leave-one-out'"),
}


@pytest.mark.parametrize(("flags", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_fit_together_is_refused(
    flags: list[str], message: str, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hold(source, *flags) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_there_is_not_replaced(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hold(source, "--test-last", "1", "--test-out", source) == 1
    assert "exists already; choose another place, or replace it with --overwrite" in capsys.readouterr().err


def test_without_timestamps_the_last_can_not_be_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ratings.csv").write_text("user_id,item_id,rating\n1,1,5\n1,2,5\n2,1,5\n")
    assert hold(tmp_path / "ratings.csv", "--test-last", "1") == 1
    assert "the ratings have no timestamps, so the last ratings of each user can't be told" in capsys.readouterr().err
