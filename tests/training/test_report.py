"""The page that `matinee evaluate --report` writes: complete, safe, and sensible where something is missing."""

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.training.reported import DESCRIPTION, held_out_ratings, reported, world
from training.columns import Ids, Ragged, Strings
from training.embeddings import Catalogue, Embeddings
from training.errors import PlaceTakenError, TrainingError
from training.evaluation.evaluate import How, measure
from training.evaluation.held_out import HeldOut
from training.evaluation.report.html import check_report_place
from training.evaluation.report.page import write_report

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=\"alert('2')\">&amp;]]>-->"
VOID = {"meta", "link"}
SECTIONS = ("summary", "facts", "learning", "by-rating", "by-activity", "ranking", "popularity", "examples")


class Page(HTMLParser):
    """What a page holds, as a parser sees it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def test_every_section_is_there_and_every_chart_has_words_and_figures(tmp_path: Path) -> None:
    page = Page(reported(tmp_path / "report.html", world())[0])
    assert set(SECTIONS) <= set(page.values("id"))
    assert page.tags["svg"] == page.tags["figure"] == page.tags["details"] > 8
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == page.tags["svg"]
    assert all(len(label) > 40 and "nan" not in label for label in labels)
    assert len(page.values("id")) == len(set(page.values("id")))


def test_the_headline_figures_are_those_of_the_evaluation(tmp_path: Path) -> None:
    html, result = reported(tmp_path / "report.html", world())
    text = Page(html).text
    model = result["rows"][0]
    for name in ("rmse", "mae", "ndcg@10", "recall@20"):
        assert f"{model[name]:.4f}" in text
    assert f"{result['n_ratings']:,} held-out ratings" in text
    assert "120 users × 90 items, dim 6" in text
    assert DESCRIPTION["data_fingerprint"][:16] in text


def test_the_page_asks_for_nothing_outside_itself(tmp_path: Path) -> None:
    html, _ = reported(tmp_path / "report.html", world())
    page = Page(html)
    assert "//" not in re.sub(r"/\*.*?\*/", "", html)
    assert "url(" not in html
    assert "@import" not in html
    assert not page.values("src")
    assert all(link.startswith("#") or link == "data:," for link in page.values("href"))
    assert not {"script", "iframe", "object", "embed", "form", "base", "img"} & set(page.tags)


def test_the_content_security_policy_allows_this_style_sheet_alone(tmp_path: Path) -> None:
    html, _ = reported(tmp_path / "report.html", world())
    (policy,) = (value for value in Page(html).values("content") if "default-src" in value)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert "unsafe" not in policy
    assert not [name for _, name, _ in Page(html).attributes if name == "style"]


def hostile() -> Embeddings:
    """Markup wherever somebody else's text comes in."""
    embeddings = world(
        objective=HOSTILE,
        config={HOSTILE: HOSTILE},
        libraries={HOSTILE: HOSTILE},
        data_fingerprint=HOSTILE,
        history=[{"sweep": 1, "val_rmse": 1.0, HOSTILE: 0.5}],
        search=[{HOSTILE: HOSTILE, "val_rmse": 1.0}],
    )
    n_users, n_items = embeddings.n_users, embeddings.n_items
    catalogue = Catalogue(
        user_ids=Ids.of([f"{HOSTILE}{user}" for user in range(n_users)])[0],
        item_ids=Ids.of([f"{HOSTILE}{item}" for item in range(n_items)])[0],
        seen=embeddings.catalogue.seen,
        item_titles=Strings.of(HOSTILE if item % 2 else "" for item in range(n_items)),
        item_tags=Ragged.of([[0]] * n_items),
        tag_names=Strings.of([HOSTILE]),
    )
    return replace(embeddings, catalogue=catalogue)


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    embeddings = hostile()
    page = Page(reported(tmp_path / "report.html", embeddings)[0])
    harmless = Page(reported(tmp_path / "harmless.html", world())[0])
    assert set(page.tags) <= set(harmless.tags)
    assert {name for _, name, _ in page.attributes} <= {name for _, name, _ in harmless.attributes}
    assert page.text.count(HOSTILE) > 30
    assert all(value.startswith(("#", "data:,")) for value in page.values("href"))


def test_texts_that_no_encoding_has_bytes_for_are_written(tmp_path: Path) -> None:
    html, _ = reported(tmp_path / "report.html", world(objective="half \ud800 a pair"))
    assert "half ? a pair" in html


def test_long_titles_are_cut(tmp_path: Path) -> None:
    embeddings = world()
    titles = Strings.of("long " * 10_000 for _ in range(embeddings.n_items))
    embeddings = replace(embeddings, catalogue=replace(embeddings.catalogue, item_titles=titles))
    assert len(reported(tmp_path / "report.html", embeddings)[0]) < 500_000


def test_a_model_that_ranks_has_no_errors_of_ratings(tmp_path: Path) -> None:
    history = [{"sweep": n, "rmse": 1 / n, "val_ndcg@10": n / 10, "seconds": 1.0} for n in range(1, 5)]
    embeddings = world(objective="ranking", scores="preferences", history=history, search=None)
    page = Page(reported(tmp_path / "report.html", embeddings)[0])
    assert "no errors of predicted ratings" in page.text
    assert "RMSE by" not in page.text
    assert "Distribution of errors" not in page.text
    assert "NDCG@10 after each sweep" in page.text
    assert "best after sweep 4: 0.4000" in page.text
    assert "fitted to; the validation part was judged by another figure" in page.text


def test_of_one_length_of_list_all_metrics_share_a_chart(tmp_path: Path) -> None:
    page = Page(reported(tmp_path / "report.html", world(), ks=(7,))[0])
    assert "Lists of 7" in page.text
    assert "NDCG@7 by activity" in page.text
    assert "NDCG@k" not in page.text


@pytest.mark.parametrize("junk", [None, "x", [], [1, None], [{}], [{"val_rmse": float("nan")}], {"a": 1}, [{"a": "b"}]])
def test_without_a_history_the_page_says_so(tmp_path: Path, junk: object) -> None:
    page = Page(reported(tmp_path / "report.html", world(history=junk, search=junk, config=junk, libraries=junk))[0])
    assert "after each sweep" not in page.text
    assert "NDCG@k" in page.text


def test_without_titles_items_are_called_by_their_ids(tmp_path: Path) -> None:
    embeddings = world()
    titles = Strings.of([""] * embeddings.n_items)
    embeddings = replace(embeddings, catalogue=replace(embeddings.catalogue, item_titles=titles))
    text = Page(reported(tmp_path / "report.html", embeddings)[0]).text
    assert "The data has no titles" in text
    assert "item i1" in text


def test_without_a_baseline_the_model_stands_beside_the_most_popular(tmp_path: Path) -> None:
    page = Page(reported(tmp_path / "report.html", replace(world(), baseline=None))[0])
    assert "bias only" not in page.text.replace("below that of bias only", "")
    assert "most popular" in page.text


def test_where_nobody_likes_anything_that_is_said(tmp_path: Path) -> None:
    embeddings = world()
    page = Page(reported(tmp_path / "report.html", embeddings, held_out_ratings(embeddings, values=(1, 2)))[0])
    assert "nobody is known to like anything" in page.text
    assert "RMSE by real rating" in page.text
    assert "User " in page.text


@pytest.mark.parametrize(
    ("n_users", "n_items", "n_ratings", "values"),
    [(1, 3, 1, (5,)), (1, 90, 600, (1, 5)), (120, 3, 600, (4,)), (2, 2, 1, (1,)), (50, 40, 1, (3.5,)), (9, 3, 9, (5,))],
)
@pytest.mark.parametrize("scale", [None, [1.0, 5.0], [4.0, 4.0]])
def test_the_smallest_worlds_have_a_page(
    tmp_path: Path, n_users: int, n_items: int, n_ratings: int, values: tuple[float, ...], scale: object
) -> None:
    embeddings = world(n_users, n_items, rating_scale=scale)
    html, _ = reported(tmp_path / "report.html", embeddings, held_out_ratings(embeddings, n_ratings, values), (1,))
    assert not re.search(r"\b(nan|inf)\b", Page(html).text)
    assert not re.search(r' d="[^"]*(nan|inf)', html)


def test_ratings_of_many_values_are_binned(tmp_path: Path) -> None:
    embeddings = world(rating_scale=[0.0, 100.0])
    values = tuple(np.linspace(0, 100, 401).tolist())
    page = Page(reported(tmp_path / "report.html", embeddings, held_out_ratings(embeddings, values=values))[0])
    assert "90–100" in page.text


def test_an_existing_page_is_replaced_only_when_told_so(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("mine")
    with pytest.raises(PlaceTakenError):
        reported(file, world())
    assert file.read_text() == "mine"
    check_report_place(file, overwrite=True)
    with pytest.raises(TrainingError, match="is a folder"):
        check_report_place(tmp_path, overwrite=True)


def test_folders_on_the_way_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    reported(tmp_path / "a" / "b" / "report.html", world())
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["report.html"]


def test_of_a_sample_of_users_the_page_has_the_lists_of_as_many(tmp_path: Path) -> None:
    embeddings = world()
    held_out = HeldOut.of(held_out_ratings(embeddings), embeddings.catalogue)
    write_report(tmp_path / "report.html", embeddings, held_out, measure(embeddings, held_out, How(n_users=17)))
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "each of the same 17 users" in text
