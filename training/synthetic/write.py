"""A synthetic world as files: ratings.csv and movies.csv as MovieLens writes them."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from training.synthetic.draws import draw_pairs
from training.synthetic.films import GENRE_SHARES, titles
from training.synthetic.world import NOISE, Shape, World, planted

FILES = ("ratings.csv", "movies.csv", "README.txt")
"""What a sample consists of."""

_RATINGS_AT_ONCE = 1 << 19
_FIRST_S, _LAST_S = 789_652_800, 1_427_760_000  # 9 January 1995, 31 March 2015
_YEAR_S = 365 * 86_400

_README = """\
These ratings are synthetic: no such people, films or opinions exist. A computer made them up (matinee sample), shaped
like the MovieLens data sets but not derived from any of their rows. Use them to try things out and to measure speed;
what a model scores on them says nothing about real people.

users {n_users}, items {n_items}, ratings {n_ratings}, seed {seed}
ratings.csv  userId,movieId,rating,timestamp   0.5 to 5 in halves; epoch seconds, rising within each user
movies.csv   movieId,title,genres              genres separated by |
Planted: each user likes each genre more or less (normally distributed), picks more often from liked genres, and rates
user bias + item quality + taste for the item's genres + noise.
"""


def write_sample(folder: Path, shape: Shape, seed: int, advance: Callable[[int], object]) -> None:
    """Fill the empty `folder`; the same shape and seed give the same bytes. `advance` hears of ratings written."""
    rng = np.random.default_rng(seed)
    world = planted(shape, rng)
    _write_movies(folder / "movies.csv", world, rng)
    with (folder / "ratings.csv").open("wb") as file:
        file.write(b"userId,movieId,rating,timestamp\n")
        options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
        for users in _stretches(world.user_counts):
            rows = _ratings(world, users, rng)
            pa.csv.write_csv(rows, file, options)
            advance(len(rows))
    readme = _README.format(n_users=shape.n_users, n_items=shape.n_items, n_ratings=shape.n_ratings, seed=seed)
    (folder / "README.txt").write_text(readme)


def _stretches(user_counts: NDArray[np.int64]) -> Iterator[slice]:
    """Users who follow each other and together give about half a million ratings, so that memory stays small."""
    ends = np.cumsum(user_counts)
    start = 0
    while start < len(ends):
        given = ends[start - 1] if start else 0
        end = max(int(np.searchsorted(ends, given + _RATINGS_AT_ONCE, side="right")), start + 1)
        yield slice(start, end)
        start = end


def _ratings(world: World, users: slice, rng: np.random.Generator) -> pa.Table:
    """All ratings of `users`, in the order of users, then of time."""
    n_items = world.shape.n_items
    given = np.flatnonzero((world.first_raters >= users.start) & (world.first_raters < users.stop))
    pairs = draw_pairs(world, users, (world.first_raters[given] - users.start) * n_items + given, rng)
    user, item = np.divmod(pairs, n_items)
    order = np.argsort(user + rng.random(len(user)))
    user, item = user + users.start, item[order]
    liking = world.expected(user, item) + NOISE * rng.standard_normal(len(item), np.float32)
    halves = np.clip(np.rint(2 * liking), 1, 10).astype(np.int8)
    return pa.table(
        {
            "userId": user + 1,
            "movieId": world.item_ids[item],
            "rating": pa.array([str(half / 2) for half in range(11)]).take(pa.array(halves)),
            "timestamp": _timestamps(world.user_counts[users], rng),
        }
    )


def _timestamps(counts: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """int64 (sum of counts,): rising within each user; sittings of a few ratings a minute, weeks between them."""
    n = int(counts.sum())
    firsts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    gaps = rng.standard_exponential(n) * 25
    breaks = rng.random(n) < 1 / 60
    gaps[breaks] += rng.standard_exponential(int(breaks.sum())) * 20 * 86_400
    passed = np.cumsum(gaps)
    passed -= np.repeat(passed[firsts], counts)
    starts = rng.integers(_FIRST_S, _LAST_S - _YEAR_S, len(counts))
    # Who would go on beyond the last day is quicker instead; one second a rating keeps all apart.
    longest = np.maximum(passed[firsts + counts - 1], 1.0)
    pace = np.minimum((_LAST_S - starts - counts) / longest, 1.0)
    within = np.arange(n) - np.repeat(firsts, counts)
    times: NDArray[np.int64] = np.repeat(starts, counts) + within + (passed * np.repeat(pace, counts)).astype(np.int64)
    return times


def _write_movies(file: Path, world: World, rng: np.random.Generator) -> None:
    names = list(GENRE_SHARES)
    rows = []
    for item_id, title, (first, second) in zip(
        world.item_ids.tolist(), titles(world.genres[:, 0], rng), world.genres.tolist(), strict=True
    ):
        genres = sorted({names[first], names[second]})
        rows.append((item_id, title, "|".join(genres)))
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("movieId", "title", "genres"))
        writer.writerows(sorted(rows))
