import json
from pathlib import Path
from typing import Any

import pytest

from indexer.__main__ import main
from indexer.store import Store
from tests.indexer.small import published, written_embeddings
from tests.world import fit_to_rank, random_embeddings
from training.embeddings import write_embeddings


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def embeddings(tmp_path: Path) -> Path:
    written_embeddings(tmp_path / "embeddings")
    return tmp_path / "embeddings"


class Told:
    """What a command printed, and how it ended."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> None:
        self.status = main(list(map(str, arguments)))
        self.output, self.complaint = capsys.readouterr()

    @property
    def document(self) -> Any:
        assert self.status == 0, self.complaint
        return json.loads(self.output)


def test_index_publishes_and_says_what_to_do_next(
    store: Store, embeddings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(capsys, "index", embeddings, store.folder)
    version = store.current()
    assert told.status == 0
    assert version is not None
    for text in (version, "4 × 12", "Flat, 8 columns", "recall@10", "1.0000", f"next: matinee serve {store.folder}"):
        assert text in told.output


def test_index_prints_one_document_on_request(
    store: Store, embeddings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = Told(capsys, "index", embeddings, store.folder, "--json").document
    assert document["version"] == store.current()
    assert document["recall"] == {"recall@10": 1.0, "similar_recall@10": 1.0}
    assert (document["n_users"], document["n_items"], document["width"], document["current"]) == (4, 12, 8, True)


def test_index_and_show_say_that_scores_are_preferences(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_embeddings(fit_to_rank(random_embeddings()), tmp_path / "ranking")
    told = Told(capsys, "index", tmp_path / "ranking", store.folder).output
    assert ["scores", "preferences"] in [line.split() for line in told.splitlines()]
    shown = Told(capsys, "store", "show", store.folder).output
    assert ["scores", "preferences"] in [line.split() for line in shown.splitlines()]
    assert Told(capsys, "store", "show", store.folder, "--json").document["scores"] == "preferences"


def test_index_can_leave_what_is_current(store: Store, embeddings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = published(store)
    told = Told(capsys, "index", embeddings, store.folder, "--no-activate")
    assert store.current() == first
    assert f"next: matinee store activate {store.folder} {store.versions()[-1]}" in told.output


@pytest.mark.parametrize(
    "flags",
    [
        ["--index-key", "LSH"],
        ["--max-bytes", "0"],
        ["--target-recall", "1.1"],
        ["--target-recall", "0"],
        ["--wait-s", "-1"],
        ["--x"],
    ],
)
def test_wrong_usage_is_exit_status_2_and_changes_nothing(
    flags: list[str], store: Store, embeddings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = Told(capsys, "index", embeddings, store.folder, *flags).status
    except SystemExit as stopped:
        status = int(str(stopped.code))
    assert status == 2
    assert not store.folder.exists()


def test_what_is_no_embeddings_folder_is_one_sentence_and_makes_no_store(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(capsys, "index", tmp_path, store.folder)
    assert told.status == 1
    assert told.complaint.count("\n") == 1
    assert "no manifest.json there" in told.complaint
    assert not store.folder.exists()


def test_list_marks_what_is_current(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = published(store), published(store, 1)
    store.activate(first)
    lines = {line.split()[0]: line for line in Told(capsys, "store", "list", store.folder).output.splitlines()}
    assert lines[first].rstrip().endswith("current")
    assert "current" not in lines[second]
    document = Told(capsys, "store", "list", store.folder, "--json").document
    assert document["current"] == first
    assert [entry["version"] for entry in document["versions"]] == [first, second]


def test_list_goes_on_where_current_or_a_version_is_damaged(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = published(store), published(store, 1)
    (store.folder / "CURRENT").write_text("nonsense")
    (store.path(first) / "manifest.json").write_text("{")
    told = Told(capsys, "store", "list", store.folder)
    assert told.status == 0
    assert second in told.output
    assert "damaged" in told.output
    assert "matinee store activate" in told.complaint


def test_show_tells_the_manifest_of_what_is_current_or_of_a_version(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = published(store), published(store, 1)
    assert Told(capsys, "store", "show", store.folder, "--json").document == {
        "version": second,
        **store.manifest(second),
    }
    assert Told(capsys, "store", "show", store.folder, first, "--json").document["version"] == first
    assert "recommend.faiss" in Told(capsys, "store", "show", store.folder).output


def test_verify_tells_every_damaged_version_with_exit_status_1(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = [published(store, seed) for seed in range(3)]
    assert Told(capsys, "store", "verify", store.folder, "--json").document["whole"] == versions
    (store.path(versions[0]) / "similar.faiss").unlink()
    (store.path(versions[2]) / "seen_rows.npy").write_bytes(b"")
    told = Told(capsys, "store", "verify", store.folder)
    assert told.status == 1
    assert f"{versions[0]}: " in told.complaint
    assert f"{versions[2]}: " in told.complaint
    assert versions[1] not in told.complaint
    assert Told(capsys, "store", "verify", store.folder, versions[1]).status == 0


def test_activate_and_rollback_say_what_is_current(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = published(store), published(store, 1)
    back = Told(capsys, "store", "rollback", store.folder)
    assert f"{first} is current; before it was {second}" in back.output
    assert f"undo: matinee store activate {store.folder} {second}" in back.output
    assert Told(capsys, "store", "activate", store.folder, second, "--json").document == {"current": second}
    assert store.current() == second


def test_prune_keeps_three_unless_told_otherwise(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    versions = [published(store, seed) for seed in range(5)]
    document = Told(capsys, "store", "prune", store.folder, "--json").document
    assert document == {"removed": versions[:2], "in_use": [], "versions": versions[2:]}
    assert Told(capsys, "store", "prune", store.folder, "--keep", "0").status == 2
    assert "1 left" in Told(capsys, "store", "prune", store.folder, "--keep", "1").output


@pytest.mark.parametrize("verb", ["list", "show", "verify", "rollback", "prune"])
def test_an_empty_store_is_exit_status_1_with_what_to_do(
    verb: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(capsys, "store", verb, store.folder)
    assert told.status == 1
    assert "publish with: matinee index EMBEDDINGS" in told.complaint
    assert not store.folder.exists()


@pytest.mark.parametrize("command", [["index"], *(["store", verb] for verb in ("list", "show", "verify", "prune"))])
def test_help_ends_with_lines_to_copy(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help"])
    assert stopped.value.code == 0
    assert f"matinee {' '.join(command)} " in capsys.readouterr().out.partition("examples:")[2]
