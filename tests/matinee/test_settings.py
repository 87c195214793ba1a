import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field
from pydantic_settings import CliPositionalArg
from rich.console import Console

from matinee.command import DONE, WRONG_USAGE
from matinee.settings import Command, Commands, Group, main


class Paint(Command):
    """Paint a wall.

    Twice where it must be.
    """

    examples: ClassVar[str] = """
        examples:
          matinee paint wall
    """
    wall: CliPositionalArg[Path]
    """Which wall."""
    coats: int = Field(default=1, ge=1, le=3)
    """How many coats."""
    base_colour: str | None = None
    """The colour below."""

    def run(self) -> Mapping[str, object]:
        return {"wall": str(self.wall), "coats": self.coats, "base_colour": self.base_colour}

    def show(self, result: Mapping[str, object], console: Console) -> None:
        console.print(f"{result['coats']} coats on {result['wall']}")


COMMANDS: Commands = {"paint": Paint, "house": Group("a whole house", {"paint": Paint})}


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(COMMANDS, [*arguments, "--json"]) == DONE
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    return document


def test_fields_are_flags_and_positional_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, "paint", "north", "--coats", "2", "--base-colour", "red") == {
        "wall": "north", "coats": 2, "base_colour": "red",
    }  # fmt: skip


def test_fields_are_environment_variables_and_flags_win(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATINEE_COATS", "3")
    assert ask(capsys, "paint", "north")["coats"] == 3
    assert ask(capsys, "paint", "north", "--coats", "2")["coats"] == 2


def test_the_variable_for_json_carries_the_prefix(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JSON", "1")
    assert main(COMMANDS, ["paint", "north"]) == DONE
    assert capsys.readouterr().out == "1 coats on north\n"


def test_a_value_out_of_range_is_one_sentence_that_names_flag_and_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(COMMANDS, ["paint", "north", "--coats", "9"]) == WRONG_USAGE
    said = capsys.readouterr().err
    assert "--coats is '9'" in said
    assert len(said.splitlines()) == 1


def test_help_tells_the_texts_under_the_fields_and_the_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(COMMANDS, ["paint", "--help"])
    assert stopped.value.code == DONE
    told = capsys.readouterr().out
    assert "How many coats." in told
    assert "\n  matinee paint wall" in told
    assert "\nTwice where it must be." in told


def test_a_group_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(COMMANDS, ["house", "--help"]) == DONE
    assert "Paint a wall." in capsys.readouterr().out
    assert ask(capsys, "house", "paint", "south")["wall"] == "south"
    assert main(COMMANDS, ["house", "roof"]) == WRONG_USAGE


def test_help_has_its_usual_short_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(COMMANDS, ["paint", "-h"])
    assert "-h, --help" in capsys.readouterr().out
