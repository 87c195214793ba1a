import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from matinee.__main__ import VERBS, main
from matinee.command import DONE, FAILED, INTERRUPTED, WRONG_USAGE, finish
from matinee.errors import MatineeError, UsageError


def failing(error: BaseException) -> Mapping[str, object]:
    raise error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MatineeError("ratings.csv: line 3 is empty"), FAILED),
        (UsageError("--k and --all do not go together"), WRONG_USAGE),
        (KeyboardInterrupt(), INTERRUPTED),
        (PermissionError(13, "Permission denied", "/out"), FAILED),
    ],
)
def test_a_failure_is_one_sentence_and_a_status(
    error: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finish(lambda: failing(error), as_json=True, show=print) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("matinee: ")
    assert len(said.err.splitlines()) == 1


def test_an_operating_system_error_names_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    finish(lambda: failing(PermissionError(13, "Permission denied", "/out")), as_json=False, show=print)
    assert capsys.readouterr().err == "matinee: /out: Permission denied\n"


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        finish(lambda: failing(ZeroDivisionError()), as_json=False, show=print)


def test_json_is_the_only_thing_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert finish(lambda: {"k": 10}, as_json=True, show=print) == DONE
    assert json.loads(capsys.readouterr().out) == {"k": 10}


def test_an_unknown_verb_is_wrong_usage_and_the_verbs_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recomend"]) == WRONG_USAGE
    assert "recommend" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "matinee", verb, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == DONE, done.stderr
    assert f"usage: matinee {verb}" in done.stdout


def test_a_reader_that_goes_away_ends_the_command_without_a_word() -> None:
    code = "from matinee.command import finish; finish(lambda: {'a': 'x' * 10_000_000}, True, print)"
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{code}" | head -c 1'],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert done.stderr == ""
