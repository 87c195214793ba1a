import struct
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.build import BuildOptions, build_bundle
from indexer.bundle import KIND, RECOMMEND_INDEX, SIMILAR_INDEX, Bundle, open_bundle
from indexer.errors import BundleError, IndexGateError
from indexer.index import read_index
from indexer.vectors import augment, query, unit_rows
from tests.indexer.small import Change, resealed
from tests.world import checker_board, fit_to_rank, random_embeddings, with_zeros
from training.artefact import MANIFEST, _canonical, _content_hash, read_manifest
from training.embeddings import Embeddings, write_embeddings


def made(folder: Path, embeddings: Embeddings) -> Bundle:
    folder.mkdir()
    build_bundle(embeddings, folder)
    return open_bundle(folder)


@pytest.fixture
def embeddings() -> Embeddings:
    return random_embeddings(n_users=9, n_items=40, dim=6)


@pytest.fixture
def bundle(tmp_path: Path, embeddings: Embeddings) -> Bundle:
    return made(tmp_path / "bundle", embeddings)


def test_what_is_opened_is_what_was_built(bundle: Bundle, embeddings: Embeddings) -> None:
    np.testing.assert_array_equal(bundle.user_embeddings, embeddings.user_embeddings)
    np.testing.assert_array_equal(bundle.user_biases, embeddings.user_biases)
    np.testing.assert_array_equal(bundle.item_vectors, augment(embeddings.item_embeddings, embeddings.item_biases))
    assert bundle.global_bias == embeddings.global_bias
    assert (bundle.n_users, bundle.n_items, bundle.dim, bundle.width) == (9, 40, 6, 8)
    before, after = embeddings.catalogue.to_arrays(), bundle.catalogue.to_arrays()
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


def test_both_indexes_hold_their_vectors_row_by_row(bundle: Bundle, embeddings: Embeddings) -> None:
    np.testing.assert_array_equal(bundle.recommend_index.reconstruct_n(0, 40), bundle.item_vectors)
    units = unit_rows(embeddings.item_embeddings, 8)
    np.testing.assert_array_equal(bundle.similar_index.reconstruct_n(0, 40), units)


def test_the_arrays_are_read_only(bundle: Bundle) -> None:
    arrays = [bundle.user_embeddings, bundle.user_biases, bundle.item_vectors, *bundle.catalogue.to_arrays().values()]
    assert [array for array in arrays if array.flags.writeable] == []


def test_searching_twice_and_after_opening_again_answers_the_same(bundle: Bundle, tmp_path: Path) -> None:
    queries = query(bundle.user_embeddings, bundle.width)
    first, second = (bundle.recommend_index.search(queries, 5) for _ in range(2))
    again = open_bundle(tmp_path / "bundle").recommend_index.search(queries, 5)
    for scores, rows in (second, again):
        np.testing.assert_array_equal(scores, first[0])
        np.testing.assert_array_equal(rows, first[1])


def test_the_manifest_says_how_it_was_proved_and_where_it_comes_from(tmp_path: Path) -> None:
    described = Embeddings(
        **{**vars(checker_board()), "description": {"rating_scale": [0.5, 5], "libraries": {"a": "1"}}}
    )
    write_embeddings(described, tmp_path / "embeddings")
    manifest = made(tmp_path / "bundle", described).manifest
    assert manifest["recall"] == {"recall@10": 1.0, "similar_recall@10": 1.0}
    assert manifest["rating_scale"] == [0.5, 5]
    assert manifest["index_key"] == "Flat"
    assert {"a", "faiss-cpu", "numpy"} <= manifest["libraries"].keys()
    assert manifest["bytes"] == sum(file["bytes"] for file in manifest["files"].values())


def test_an_index_that_finds_too_little_is_refused(
    tmp_path: Path, embeddings: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(vectors: Any, index_key: str) -> Any:
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.where(np.arange(len(vectors))[:, np.newaxis] % 2, vectors, 0).astype(np.float32))
        return index

    monkeypatch.setattr("indexer.build.build_index", forgetful)
    with pytest.raises(IndexGateError, match=r"recall@10 is 0\.\d+, the target 0\.99; nothing was published"):
        build_bundle(embeddings, tmp_path)
    assert not (tmp_path / MANIFEST).exists()
    build_bundle(embeddings, tmp_path, BuildOptions(target_recall=0.1))


def test_embeddings_are_no_bundle_and_a_bundle_is_no_embeddings(tmp_path: Path, bundle: Bundle) -> None:
    write_embeddings(checker_board(), tmp_path / "embeddings")
    with pytest.raises(BundleError, match="describes 'matinee-embeddings', not 'matinee-bundle'"):
        open_bundle(tmp_path / "embeddings")


def wrong_index(index: Any, name: str = RECOMMEND_INDEX) -> Change:
    def change(folder: Path, _: dict[str, Any]) -> None:
        faiss.write_index(index, str(folder / name))

    return change


def raw_index(raw: bytes) -> Change:
    def change(folder: Path, _: dict[str, Any]) -> None:
        (folder / SIMILAR_INDEX).write_bytes(raw)

    return change


def saying(**facts: Any) -> Change:
    def change(_: Path, description: dict[str, Any]) -> None:
        description.update(facts)

    return change


def array_of(name: str, array: Any) -> Change:
    def change(folder: Path, _: dict[str, Any]) -> None:
        np.save(folder / name, array)

    return change


def header(shape: str) -> Change:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"

    def change(folder: Path, _: dict[str, Any]) -> None:
        (folder / "user_biases.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)

    return change


def without(name: str) -> Change:
    def change(folder: Path, _: dict[str, Any]) -> None:
        (folder / name).unlink()

    return change


def flat(n_items: int, width: int, metric: int = faiss.METRIC_INNER_PRODUCT) -> Any:
    index = faiss.IndexFlat(width, metric)
    index.add(np.zeros((n_items, width), np.float32))
    return index


def flat_file(**changed: int) -> bytes:
    """A file of a flat index of 40 × 8 vectors, of which the header says something else."""
    fields = {"d": 8, "ntotal": 40, "is_trained": 1, "metric": 0, "n_floats": 320} | changed
    return struct.pack("<4siq16xBiq", b"IxFI", *fields.values()) + bytes(4 * 320)


SPOILT = {
    "too few vectors": (wrong_index(flat(39, 8)), "holds 39 × 8 vectors, the manifest says 40 × 8"),
    "too wide": (wrong_index(flat(40, 16), SIMILAR_INDEX), "holds 40 × 16 vectors, the manifest says 40 × 8"),
    "by distance": (wrong_index(flat(40, 8, faiss.METRIC_L2)), "is no Flat index by inner product"),
    "another kind": (wrong_index(faiss.index_factory(8, "HNSW8")), "is no Flat index by inner product"),
    "a header of another shape": (raw_index(flat_file(ntotal=1 << 60)), "holds 1152921504606846976 × 8 vectors"),
    "fewer floats": (raw_index(flat_file(n_floats=8)), "with 8 floats, which do not fit 40 × 8"),
    "more floats": (raw_index(flat_file(n_floats=1 << 60)), "which do not fit 40 × 8"),
    "cut off": (raw_index(flat_file()[:-1]), "has 1324 bytes"),
    "untrained": (raw_index(flat_file(is_trained=0)), "do not fit"),
    "another metric": (raw_index(flat_file(metric=1)), "is for metric 1, not for inner products"),
    "empty index": (raw_index(b""), "is no Flat index"),
    "no index": (without(RECOMMEND_INDEX), "recommend.faiss: missing from the manifest"),
    "no array": (without("user_biases.npy"), "user_biases.npy: missing from the manifest"),
    "no catalogue": (without("seen_rows.npy"), "missing from the manifest"),
    "unknown index": (saying(index_key="HNSW32"), "this program reads Flat"),
    "no index key": (saying(index_key=None), "this program reads Flat"),
    "other counts": (saying(n_items=41), "the manifest says float32"),
    "count is no number": (saying(n_users="9"), "n_users is '9' in the manifest"),
    "narrow": (saying(width=4), "width is 4 in the manifest; it must be a multiple of 8 above dim 6"),
    "bias is no number": (saying(global_bias="NaN"), "global_bias is 'NaN' in the manifest"),
    "NaN": (array_of("user_biases.npy", np.full(9, np.nan, np.float32)), "user_biases.npy: holds NaN or infinity"),
    "infinity": (array_of("item_vectors.npy", np.full((40, 8), np.inf, np.float32)), "holds NaN or infinity"),
    "scores of a newer release": (
        saying(scores="stars"),
        "scores are 'stars' in the manifest; this program knows ratings",
    ),
    "scores are null": (saying(scores=None), "scores are None in the manifest"),
    "scores are a list": (saying(scores=[]), r"scores are \[\] in the manifest"),
    "scores are a dict": (saying(scores={"ratings": 1}), "scores are {'ratings': 1} in the manifest"),
    "global bias beyond float": (saying(global_bias=10**400), "it must be a number"),
    "a header of 36 TiB": (header("(10000000000000,)"), "that can be read safely"),
    "a header that does not end": (header("((((((("), "that can be read safely"),
    "a header beyond int64": (header("(99999999999999999999999,)"), "that can be read safely"),
    "float64": (array_of("user_biases.npy", np.zeros(9)), "the manifest says float32"),
    "objects": (array_of("user_biases.npy", np.array([{}] * 9)), "that can be read safely"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_bundle_that_does_not_fit_together_is_refused_though_its_checksums_fit(
    what: str, bundle: Bundle, tmp_path: Path
) -> None:
    change, message = SPOILT[what]
    resealed(tmp_path / "bundle", change)
    with pytest.raises(BundleError, match=message) as refusal:
        open_bundle(tmp_path / "bundle")
    assert "\n" not in str(refusal.value)
    assert str(tmp_path / "bundle") in str(refusal.value)


@given(st.integers(4, 44), st.integers(0, 255))
def test_a_header_of_an_index_with_any_other_byte_is_refused_or_searched_without_a_crash(at: int, byte: int) -> None:
    raw = bytearray(flat_file())
    raw[at] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / RECOMMEND_INDEX
        path.write_bytes(raw)
        try:
            index = read_index(path, "Flat", 40, 8)
        except BundleError:
            return
        assert index.search(np.ones((1, 8), np.float32), 3)[1].shape == (1, 3)


@pytest.mark.parametrize("files", [None, [], "x", {"a.npy": None}, {"a.npy": {}}, {"a.npy": {"bytes": "1"}}])
def test_a_manifest_that_lists_its_files_in_another_way_is_refused(files: Any, bundle: Bundle, tmp_path: Path) -> None:
    manifest = {**read_manifest(tmp_path / "bundle", KIND, 1), "files": files}
    manifest["content_sha256"] = _content_hash(manifest)
    (tmp_path / "bundle" / MANIFEST).write_bytes(_canonical(manifest))
    with pytest.raises(BundleError, match="does not list its files"):
        open_bundle(tmp_path / "bundle")


def test_resealing_alone_changes_nothing(bundle: Bundle, tmp_path: Path) -> None:
    resealed(tmp_path / "bundle", saying())
    open_bundle(tmp_path / "bundle")


def test_the_bundle_says_whether_scores_are_ratings(bundle: Bundle, embeddings: Embeddings, tmp_path: Path) -> None:
    assert (bundle.manifest["scores"], bundle.scores_are_ratings) == ("ratings", True)
    ranking = made(tmp_path / "ranking", fit_to_rank(embeddings))
    assert (ranking.manifest["scores"], ranking.scores_are_ratings) == ("preferences", False)


def test_a_bundle_from_before_there_were_preferences_has_ratings(bundle: Bundle, tmp_path: Path) -> None:
    resealed(tmp_path / "bundle", lambda _, description: description.pop("scores"))
    assert open_bundle(tmp_path / "bundle").scores_are_ratings


def test_vectors_of_zeros_are_indexed_and_pass_the_gate(tmp_path: Path, embeddings: Embeddings) -> None:
    some = fit_to_rank(with_zeros(embeddings))
    nothing = replace(
        some,
        user_embeddings=np.zeros_like(some.user_embeddings),
        item_embeddings=np.zeros_like(some.item_embeddings),
    )
    for name, world in (("some", some), ("nothing", nothing)):
        assert made(tmp_path / name, world).manifest["recall"] == {"recall@10": 1.0, "similar_recall@10": 1.0}
