"""`matinee sample`: exact counts, MovieLens's tails, tastes that can be found, the same bytes for the same seed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee.command import DONE, FAILED, WRONG_USAGE
from training.__main__ import main
from training.data.ratings import Ratings, read_ratings
from training.synthetic.counts import ratings_per_item, ratings_per_user
from training.synthetic.films import GENRE_SHARES, titles
from training.synthetic.world import Shape
from training.synthetic.write import FILES, write_sample


def sample(folder: Path, shape: Shape, seed: int = 1) -> Ratings:
    folder.mkdir()
    written: list[int] = []
    write_sample(folder, shape, seed, written.append)
    assert sum(written) == shape.n_ratings
    return read_ratings(folder, least=1)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_possible_shape_is_made_exactly(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    n_users, n_items = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    n_ratings = data.draw(st.integers(max(n_users, n_items), n_users * n_items))
    ratings = sample(tmp_path_factory.mktemp("shape") / "out", Shape(n_users, n_items, n_ratings))
    assert (ratings.n_users, ratings.n_items, len(ratings), ratings.n_repeated) == (n_users, n_items, n_ratings, 0)
    assert ratings.timestamps is not None
    for user_row in range(n_users):
        assert (np.diff(ratings.timestamps[ratings.user_rows == user_row]) > 0).all()


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Ratings:
    return sample(tmp_path_factory.mktemp("medium") / "out", Shape(3_000, 2_000, 300_000))


def test_ratings_titles_genres_and_times_look_like_movielens(medium: Ratings) -> None:
    assert set(np.unique(medium.values)) == set(np.arange(1, 11) / 2)
    assert 3.2 < medium.values.mean() < 3.8
    assert 0.9 < medium.values.std() < 1.2
    all_titles = {medium.item_titles[row] for row in range(medium.n_items)}
    assert len(all_titles) == medium.n_items
    assert all(title[:4] == "The " and title[-6:-1].strip("(").isdigit() for title in all_titles)
    assert [medium.tag_names[row] for row in range(len(medium.tag_names))] == list(GENRE_SHARES)
    assert medium.timestamps is not None
    assert medium.timestamps.min() >= 789_652_800
    assert medium.timestamps.max() <= 1_427_760_000


def test_activity_and_popularity_have_heavy_tails(medium: Ratings) -> None:
    per_user, per_item = np.bincount(medium.user_rows), np.bincount(medium.item_rows)
    assert per_user.min() >= 20
    assert per_user.max() > 5 * per_user.mean()
    assert per_item.min() >= 1
    assert np.median(per_item) < 0.3 * per_item.mean()
    top_tenth = np.sort(per_item)[-len(per_item) // 10 :]
    assert top_tenth.sum() > 0.5 * len(medium)


def test_the_shape_of_movielens_20m_has_its_quantiles() -> None:
    per_user = ratings_per_user(138_493, 26_744, 20_000_263)
    per_item = ratings_per_item(138_493, 26_744, 20_000_263)
    assert per_user.sum() == per_item.sum() == 20_000_263
    assert np.quantile(per_user, (0, 0.25, 0.5, 0.75)).tolist() == pytest.approx([20, 35, 68, 155], abs=2)
    assert np.quantile(per_item, (0, 0.25, 0.5, 0.75)).tolist() == pytest.approx([1, 3, 18, 205], rel=0.1)
    assert per_user.max() == pytest.approx(9_254, rel=0.1)
    assert per_item.max() == pytest.approx(67_310, rel=0.1)


def test_users_who_like_a_genre_rate_it_better_and_more_often(medium: Ratings) -> None:
    """Taste shows in unseen ratings: a user's mean for a genre in one half of the rows predicts the other half's."""
    genre = np.array([medium.item_tags[row][0] for row in range(medium.n_items)])[medium.item_rows]
    per_item = np.bincount(medium.item_rows, medium.values) / np.bincount(medium.item_rows)
    per_user = np.bincount(medium.user_rows, medium.values) / np.bincount(medium.user_rows)
    rest = medium.values - per_item[medium.item_rows] - per_user[medium.user_rows] + medium.values.mean()
    cells = medium.user_rows.astype(np.int64) * len(GENRE_SHARES) + genre
    halves = [slice(0, None, 2), slice(1, None, 2)]
    n_cells = medium.n_users * len(GENRE_SHARES)
    counts = [np.bincount(cells[half], minlength=n_cells) for half in halves]
    sums = [np.bincount(cells[half], rest[half], minlength=n_cells) for half in halves]
    known = (counts[0] >= 5) & (counts[1] >= 5)
    means = [total[known] / count[known] for total, count in zip(sums, counts, strict=True)]
    assert np.corrcoef(means[0], means[1])[0, 1] > 0.2
    n_other_half = counts[1].reshape(medium.n_users, -1)
    expected = np.outer(n_other_half.sum(axis=1), n_other_half.sum(axis=0)).ravel() / n_other_half.sum()
    assert np.corrcoef(means[0], np.log(counts[1][known] / expected[known]))[0, 1] > 0.2


def test_no_two_titles_are_alike_even_where_sequels_run_long() -> None:
    made = titles(np.zeros(5_000, np.int64), np.random.default_rng(0))
    assert len({title.rsplit(" (", 1)[0] for title in made}) == 5_000
    assert any(title.split(" (")[0].endswith(" VII") for title in made)


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["sample", *arguments, "--json"]) == DONE
    return json.loads(capsys.readouterr().out)


SMALL = ("--n-users", "50", "--n-items", "40", "--n-ratings", "600")


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert ask(capsys, str(tmp_path / name), *SMALL, "--seed", seed)["n_ratings"] == 600
    first, second, other = ([(tmp_path / name / file).read_bytes() for file in FILES] for name in "abc")
    assert first == second
    assert first[0] != other[0]


def test_it_says_that_it_is_synthetic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", str(tmp_path / "out"), *SMALL]) == DONE
    said = capsys.readouterr()
    assert "These ratings are synthetic" in said.err
    assert "600 synthetic ratings of 40 items by 50 users" in said.out
    assert (tmp_path / "out" / "README.txt").read_text().startswith("These ratings are synthetic")


def test_nothing_is_replaced_unasked_or_that_is_no_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    for flags in ((), ("--overwrite",)):
        assert main(["sample", str(out), *SMALL, *flags]) == FAILED
    assert "so it is not overwritten" in capsys.readouterr().err
    (out / "thesis.tex").unlink()
    ask(capsys, str(out), *SMALL)
    assert main(["sample", str(out), *SMALL]) == FAILED
    assert ask(capsys, str(out), *SMALL, "--overwrite", "--seed", "9")["seed"] == 9
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("n_ratings", "sentence"), [("49", "make 50 to 2000"), ("2001", "make 50 to 2000"), ("0", "--n-ratings is '0'")]
)
def test_an_impossible_shape_is_wrong_usage(
    n_ratings: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", str(tmp_path / "out"), *SMALL[:4], "--n-ratings", n_ratings]) == WRONG_USAGE
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
