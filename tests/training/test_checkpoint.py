"""A fit that stops after any sweep goes on to the same result; what does not belong to it is refused."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tests.training.tastes import table, two_tastes
from training.__main__ import main
from training.data.ratings import Ratings, write_ratings
from training.errors import ArtefactError
from training.fitting.checkpoint import Checkpoint, State
from training.fitting.config import FitConfig
from training.fitting.fit import Fit, fit
from training.fitting.progress import Report
from training.fitting.trial import Trial


class Killed(BaseException):
    """The end of a process, as far as the fit can tell."""


@dataclass
class Killer:
    """Lets a fit live for so many sweeps."""

    sweeps: int

    def __call__(self, *_: object) -> None:
        self.sweeps -= 1
        if self.sweeps == 0:
            raise Killed


def noisy() -> Ratings:
    ratings = two_tastes(40, 30, share=0.5)
    noise = np.random.default_rng(1).integers(-1, 2, len(ratings)) / 2
    return table(ratings.user_rows, ratings.item_rows, np.clip(ratings.values + noise, 1, 5), 40, 30)


def run(ratings: Ratings, config: FitConfig, folder: Path, *, lives: int = 0, resume: bool = False) -> Fit:
    """A fit that a killer ends after `lives` sweeps, where that is not 0."""
    checkpoint = Checkpoint(folder, config.fit_values(), every_s=0)
    with Report(Console(file=io.StringIO())) as report:
        return fit(ratings, config, report, checkpoint=checkpoint, resume=resume, watch=Killer(lives))


def told(result: Fit) -> Any:
    """The description without seconds, which no two runs share."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: timeless(part) for key, part in value.items() if key != "seconds"}
        return [timeless(part) for part in value] if isinstance(value, list) else value

    return timeless(result.description())


CONFIGS = {
    "rating": FitConfig(dim=3),
    "ranking": FitConfig(dim=3, objective="ranking", regularisation=0.2),
    "nothing to choose": FitConfig(dim=3, regularisation=0.5, sweeps=5),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_stopped_after_any_sweep_it_goes_on_to_the_same_weights_and_the_same_story(
    config: FitConfig, tmp_path: Path
) -> None:
    ratings = noisy()
    undisturbed = run(ratings, config, tmp_path / "undisturbed")
    n_sweeps = sum(len(trial.curve) for trial in (*undisturbed.trials, undisturbed.refit))
    assert n_sweeps >= 5
    for lives in range(1, n_sweeps + 1):
        folder = tmp_path / f"after {lives}"
        with pytest.raises(Killed):
            run(ratings, config, folder, lives=lives)
        resumed = run(ratings, config, folder, resume=True)
        assert told(resumed) == told(undisturbed), lives
        for weights, expected in zip(resumed.model.get_weights(), undisturbed.model.get_weights(), strict=True):
            np.testing.assert_array_equal(weights, expected, err_msg=f"stopped after {lives} of {n_sweeps} sweeps")


def test_stopped_again_and_again_it_comes_to_the_same_end(tmp_path: Path) -> None:
    ratings, config = noisy(), CONFIGS["rating"]
    undisturbed = run(ratings, config, tmp_path / "undisturbed")
    resume, stops, resumed = False, 0, None
    while resumed is None:
        try:
            resumed = run(ratings, config, tmp_path / "again", lives=2, resume=resume)
        except Killed:
            resume, stops = True, stops + 1
    assert stops > 5
    for weights, expected in zip(resumed.model.get_weights(), undisturbed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected)


def test_resumed_it_does_not_repeat_what_was_done(tmp_path: Path) -> None:
    ratings, config = noisy(), CONFIGS["rating"]
    undisturbed = run(ratings, config, tmp_path / "undisturbed")
    n_sweeps = sum(len(trial.curve) for trial in (*undisturbed.trials, undisturbed.refit))
    with pytest.raises(Killed):
        run(ratings, config, tmp_path / "killed", lives=n_sweeps - 2)
    # The last sweep is not yet in a checkpoint: so three are left, and the killer of a fourth has no work.
    run(ratings, config, tmp_path / "killed", lives=4, resume=True)


def written(folder: Path, **key: object) -> Checkpoint:
    checkpoint = Checkpoint(folder, {"dim": 3, "objective": "rating", **key}, every_s=0)
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    state = State(
        [Trial({"regularisation": 0.1})], Trial({"regularisation": 0.3}), None, {"users": rows, "items": rows}
    )
    checkpoint.follow(state, lambda: rows + 1)
    return checkpoint


def test_what_is_written_is_read(tmp_path: Path) -> None:
    state = written(tmp_path / "c").read()
    assert [trial.values for trial in state.trials] == [{"regularisation": 0.1}]
    assert state.current == Trial({"regularisation": 0.3})
    assert state.item_rows is not None
    np.testing.assert_array_equal(state.item_rows, np.arange(1, 7).reshape(3, 2))
    np.testing.assert_array_equal(state.best_rows["users"], np.arange(6).reshape(3, 2))


def test_nothing_is_written_before_it_is_time(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "c", {}, every_s=1000).follow(State(), lambda: np.zeros((1, 1), np.float32))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("key", "named"), [({"dim": 4}, "dim 3 and not 4"), ({"objective": "ranking"}, "'rating' and not 'ranking'")]
)
def test_the_checkpoint_of_another_fit_is_refused(key: dict[str, object], named: str, tmp_path: Path) -> None:
    written(tmp_path / "c")
    with pytest.raises(ArtefactError, match=f"is of another fit, with .*{named}; .*leave --resume out to start anew"):
        Checkpoint(tmp_path / "c", {"dim": 3, "objective": "rating", **key}, every_s=0).read()


@pytest.mark.parametrize("name", ["item_rows.npy", "best_users.npy", "manifest.json"])
def test_a_damaged_checkpoint_is_refused(name: str, tmp_path: Path) -> None:
    checkpoint = written(tmp_path / "c")
    content = bytearray((tmp_path / "c" / name).read_bytes())
    content[-3] ^= 1
    (tmp_path / "c" / name).write_bytes(content)
    with pytest.raises(ArtefactError, match=f"damaged checkpoint .*{name}.*; leave --resume out to start anew"):
        checkpoint.read()
    (tmp_path / "c" / name).unlink()
    with pytest.raises(ArtefactError, match=f"damaged checkpoint .*{name}.*; leave --resume out to start anew"):
        checkpoint.read()


def test_what_a_kill_left_half_written_goes_with_the_checkpoint(tmp_path: Path) -> None:
    checkpoint = written(tmp_path / ".out.checkpoint")
    (tmp_path / "..out.checkpoint.abc.draft").mkdir()
    (tmp_path / "..out.checkpoint.abc.draft" / "item_rows.npy").write_bytes(b"half")
    (tmp_path / ".other.checkpoint").mkdir()
    checkpoint.remove()
    assert [path.name for path in tmp_path.iterdir()] == [".other.checkpoint"]


def test_resume_without_a_checkpoint_starts_anew_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ratings(two_tastes(), tmp_path / "ratings.csv")
    assert (
        main(["train", str(tmp_path / "ratings.csv"), str(tmp_path / "out"), "--dim", "3", "--resume", "--json"]) == 0
    )
    out, err = capsys.readouterr()
    assert "there is no checkpoint: starting from the beginning" in err
    assert json.loads(out)["embeddings"] == str(tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "ratings.csv"}
    # The run is finished: there is nothing to resume, and it is not replaced.
    assert main(["train", str(tmp_path / "ratings.csv"), str(tmp_path / "out"), "--dim", "3", "--resume"]) == 1
    assert "exists already" in capsys.readouterr().err
