"""The embeddings folder: what is written is what is read, and no byte of it can change unnoticed."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import fit_to_rank, random_embeddings
from training.artefact import MANIFEST, seal
from training.columns import Ids, Ragged, Strings
from training.embeddings import (
    FORMAT_VERSION,
    KIND,
    Baseline,
    Catalogue,
    Embeddings,
    open_embeddings,
    write_embeddings,
)
from training.errors import ArtefactError

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def floats(draw: st.DrawFn, *shape: int) -> Any:
    flat = draw(st.lists(finite, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return np.array(flat, np.float32).reshape(shape)


@st.composite
def models(draw: st.DrawFn) -> Embeddings:
    ids = st.lists(words | st.integers(-(2**63), 2**63 - 1).map(str), unique=True, min_size=1, max_size=4)
    user_ids, item_ids = Ids.of(draw(ids))[0], Ids.of(draw(ids))[0]
    n_users, n_items, dim = len(user_ids), len(item_ids), draw(st.integers(1, 3))
    tags = draw(st.lists(words, max_size=3))
    any_tags = st.lists(st.integers(0, len(tags) - 1), max_size=3) if tags else st.just([])
    seen = st.lists(st.integers(0, n_items - 1), unique=True).map(sorted)
    baseline = Baseline(floats(draw, n_users), floats(draw, n_items), draw(finite))
    return Embeddings(
        user_embeddings=floats(draw, n_users, dim),
        item_embeddings=floats(draw, n_items, dim),
        user_biases=floats(draw, n_users),
        item_biases=floats(draw, n_items),
        global_bias=draw(finite),
        catalogue=Catalogue(
            user_ids=user_ids,
            item_ids=item_ids,
            seen=Ragged.of([draw(seen) for _ in range(n_users)]),
            item_titles=Strings.of([draw(words) for _ in range(n_items)]),
            item_tags=Ragged.of([draw(any_tags) for _ in range(n_items)]),
            tag_names=Strings.of(tags),
        ),
        baseline=draw(st.none() | st.just(baseline)),
        description={"objective": draw(words), "rating_scale": [1.0, draw(finite)]},
    )


def same(first: Any, second: Any) -> None:
    if isinstance(first, np.ndarray):
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)
    elif isinstance(first, Embeddings | Catalogue | Baseline | Ids | Strings | Ragged):
        for field in fields(first):
            if field.name != "content_sha256":
                same(getattr(first, field.name), getattr(second, field.name))
    else:
        assert first == second


@settings(max_examples=40, deadline=None)
@given(model=models())
def test_what_is_written_is_what_is_read(model: Embeddings, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("embeddings") / "out"
    manifest = write_embeddings(model, folder)
    opened = open_embeddings(folder)
    same(model, opened)
    assert opened.content_sha256 == manifest["content_sha256"]


def test_what_is_read_can_not_be_changed(tmp_path: Path) -> None:
    write_embeddings(random_embeddings(), tmp_path / "out")
    opened = open_embeddings(tmp_path / "out")
    for array in (opened.user_embeddings, opened.item_biases, opened.catalogue.seen.rows):
        assert not array.flags.writeable


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_embeddings(random_embeddings(n_users=2, n_items=3, dim=1, seen=1), folder)
    for path in sorted(folder.iterdir()):
        raw = path.read_bytes()
        # Through one handle, in place: a file of its own for each of some thousand bytes takes a minute.
        with path.open("r+b", buffering=0) as file:
            for position, byte in enumerate(raw):
                file.seek(position)
                file.write(bytes([byte ^ 1 << position % 8]))
                with pytest.raises(ArtefactError):
                    open_embeddings(folder)
                file.seek(position)
                file.write(bytes([byte]))
    open_embeddings(folder)


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_every_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    folder = tmp_path / "out"
    write_embeddings(random_embeddings(), folder)
    for path in folder.iterdir():
        raw = path.read_bytes()
        path.write_bytes(raw[:keep])
        with pytest.raises(ArtefactError, match=path.name.replace(".", r"\.")) as refused:
            open_embeddings(folder)
        assert "\n" not in str(refused.value)
        path.write_bytes(raw)


def crafted(folder: Path, change: Callable[[dict[str, Any], Path], None]) -> None:
    """Embeddings with one thing changed and every hash made to fit: what somebody with bad intentions could write."""
    write_embeddings(replace(random_embeddings(), baseline=Baseline(*biases(), 3.0)), folder)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).unlink()
    description = {key: manifest[key] for key in ("n_users", "n_items", "dim", "global_bias", "baseline_global_bias")}
    change(description, folder)
    seal(folder, KIND, FORMAT_VERSION, description)


def biases() -> tuple[Any, Any]:
    return np.zeros(30, np.float32), np.zeros(50, np.float32)


def said(**changes: object) -> Callable[[dict[str, Any], Path], None]:
    return lambda description, _: description.update(changes)


def put(name: str, array: Any) -> Callable[[dict[str, Any], Path], None]:
    return lambda _, folder: np.save(folder / f"{name}.npy", array)


def gone(name: str) -> Callable[[dict[str, Any], Path], None]:
    return lambda _, folder: (folder / f"{name}.npy").unlink()


NAN = np.full((30, 6), np.nan, np.float32)
CRAFTED = {
    "more users": (
        said(n_users=31),
        r"user_embeddings\.npy: is float32 \(30, 6\), the manifest says float32 \(31, 6\)",
    ),
    "no users": (said(n_users=0), r"n_users is 0 in the manifest; it must be a whole number above 0"),
    "dim is text": (said(dim="6"), r"dim is '6' in the manifest"),
    "dim is true": (said(dim=True), r"dim is True in the manifest"),
    "bias is text": (said(global_bias="3"), r"global_bias is '3' in the manifest; it must be a number"),
    "bias is huge": (said(global_bias=10**400), r"global_bias is 1000.* in the manifest; it must be a number"),
    "baseline is null": (said(baseline_global_bias=None), r"baseline_global_bias is None in the manifest"),
    "float64": (put("item_biases", np.zeros(50)), r"item_biases\.npy: is float64 \(50,\)"),
    "big-endian": (put("item_biases", np.zeros(50, ">f4")), r"item_biases\.npy: is >f4 \(50,\)"),
    "NaN": (put("user_embeddings", NAN), r"user_embeddings\.npy: holds NaN or infinity; train again"),
    "baseline too short": (
        put("baseline_user_biases", np.zeros(3, np.float32)),
        r"baseline_user_biases\.npy: is float32",
    ),
    "scores of a newer release": (said(scores="stars"), r"scores are 'stars' in the manifest; .* or a newer one"),
    "scores in capitals": (said(scores="Ratings"), r"this program knows ratings and preferences"),
    "scores are null": (said(scores=None), r"scores are None in the manifest"),
    "scores are true": (said(scores=True), r"scores are True in the manifest"),
    "scores are a list": (said(scores=["ratings"]), r"scores are \['ratings'\] in the manifest"),
    "no baseline": (gone("baseline_item_biases"), r"baseline_item_biases\.npy: missing from the manifest"),
    "no users' embeddings": (gone("user_embeddings"), r"user_embeddings\.npy: missing from the manifest"),
    "no seen": (gone("seen_rows"), r"seen_rows\.npy: missing from the manifest"),
    "no ids": (gone("user_ids"), r"user_ids.*\.npy: missing from the manifest"),
    "seen beyond the items": (
        put("seen_rows", np.full(150, 50, np.int32)),
        r"seen_rows: holds 50 to 50, but there are 50",
    ),
    "fewer ids": (put("user_ids", np.arange(29)), r"user_ids: has 29 entries, the manifest says 30"),
    "ids twice": (put("user_ids", np.zeros(30, np.int64)), r"user_ids: ids must be sorted and unique"),
    "a number as ids": (put("user_ids", np.int64(3)), r"user_ids: must be int64 \(n,\)"),
}


@pytest.mark.parametrize(("change", "message"), CRAFTED.values(), ids=CRAFTED.keys())
def test_what_does_not_fit_together_is_refused_though_every_hash_fits(
    change: Callable[[dict[str, Any], Path], None], message: str, tmp_path: Path
) -> None:
    crafted(tmp_path / "out", change)
    with pytest.raises(ArtefactError, match=message) as refused:
        open_embeddings(tmp_path / "out")
    assert str(refused.value).startswith(str(tmp_path / "out"))


def test_a_model_with_nan_is_not_written(tmp_path: Path) -> None:
    broken = replace(random_embeddings(), user_embeddings=NAN)
    with pytest.raises(ArtefactError, match="holds NaN or infinity"):
        write_embeddings(broken, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_says_whether_scores_are_ratings_and_an_old_one_means_ratings(tmp_path: Path) -> None:
    crafted(tmp_path / "old", said())
    crafted(tmp_path / "rating", said(scores="ratings"))
    write_embeddings(fit_to_rank(random_embeddings()), tmp_path / "ranking")
    told = {path.name: open_embeddings(path).scores_are_ratings for path in tmp_path.iterdir()}
    assert told == {"old": True, "rating": True, "ranking": False}


def test_scores_that_nobody_knows_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="scores are 'stars'"):
        write_embeddings(replace(random_embeddings(), description={"scores": "stars"}), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
