"""The cache of prepared ratings: found again by content, one entry a source."""

import json
import os
from pathlib import Path

import pytest

from matinee.command import DONE
from training.__main__ import main
from training.data.cache import cached
from training.data.forms import DETECTED, Columns
from training.data.parts import unwatched
from training.data.ratings import read_ratings


def source_in(folder: Path, rating: float = 3) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "ratings.csv").write_text(f"userId,movieId,rating,other\n1,2,{rating},5\n2,3,4,1\n")
    (folder / "movies.csv").write_text("movieId,title\n2,Two\n")
    return folder


def entry(source: Path, cache: Path, columns: Columns = DETECTED) -> Path:
    return cached(source, columns, cache, unwatched)


def test_the_same_content_is_prepared_once(tmp_path: Path) -> None:
    source, cache = source_in(tmp_path / "data"), tmp_path / "cache"
    first = entry(source, cache)
    made = (first / "manifest.json").stat().st_mtime_ns
    os.utime(source / "ratings.csv", (1, 1))
    assert entry(source, cache) == first
    assert (first / "manifest.json").stat().st_mtime_ns == made
    assert read_ratings(first).fingerprint == read_ratings(source).fingerprint


def test_changed_ratings_titles_or_columns_replace_the_entry(tmp_path: Path) -> None:
    source, cache = source_in(tmp_path / "data"), tmp_path / "cache"
    entries = [entry(source, cache)]
    source_in(source, rating=5)
    entries.append(entry(source, cache))
    (source / "movies.csv").write_text("movieId,title\n2,Zwei\n")
    entries.append(entry(source, cache))
    assert read_ratings(entries[-1]).item_titles[0] == "Zwei"
    entries.append(entry(source, cache, Columns(rating="other")))
    assert read_ratings(entries[-1]).values.tolist() == [5, 1]
    assert len(set(entries)) == 4
    assert list(cache.iterdir()) == [entries[-1]]


def test_sources_of_the_same_name_keep_an_entry_each(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    cache = tmp_path / "cache"
    entries = {entry(source_in(tmp_path / "data"), cache), entry(source_in(tmp_path / "a" / "data", 5), cache)}
    assert set(cache.iterdir()) == entries


def test_commands_use_the_cache_where_they_are_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, cache = source_in(tmp_path / "data"), tmp_path / "cache"
    monkeypatch.setenv("MATINEE_CACHE", str(cache))
    told = []
    for _ in range(2):
        assert main(["ratings", str(source), "--json"]) == DONE
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == told[1]
    assert len(list(cache.iterdir())) == 1
    monkeypatch.delenv("MATINEE_CACHE")
    assert main(["ratings", str(source), "--json"]) == DONE
    assert json.loads(capsys.readouterr().out) == told[0]
