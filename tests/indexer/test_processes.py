"""Several real processes on one store: publishers beside each other, readers, and those that are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from indexer.store import Store
from tests.indexer.small import published, written_embeddings

ROOT = Path(__file__).resolve().parents[2]
PUBLISH_SLOWLY = """
import sys
from pathlib import Path
from indexer.build import build_bundle
from indexer.store import Store
from tests.world import random_embeddings

def fill(draft):
    build_bundle(random_embeddings(4, 12, dim=2, seed=7, seen=2), draft)
    print("filled", flush=True)
    sys.stdin.readline()

Store(Path(sys.argv[1])).publish(fill)
"""
READ = """
import sys
from pathlib import Path
from indexer.store import Store

bundle = Store(Path(sys.argv[1])).open(sys.argv[2])
print("open", flush=True)
sys.stdin.readline()
print(int(bundle.recommend_index.faiss.search(bundle.item_vectors[:1], 1)[1][0, 0] >= 0), flush=True)
"""


@contextmanager
def running(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has printed its first line and waits for one; killed at the end if it is still there."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert stream(process.stdout).readline()
            yield process
        finally:
            process.kill()


def stream(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def release(process: subprocess.Popen[str]) -> str:
    """Let it go on to its end; what it prints."""
    output, _ = process.communicate("\n", timeout=60)
    assert process.returncode == 0
    return output


def matinee(*arguments: object, start: str = "") -> subprocess.CompletedProcess[str]:
    code = f"import sys\n{start}\nfrom indexer.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def embeddings(tmp_path: Path) -> Path:
    written_embeddings(tmp_path / "embeddings")
    return tmp_path / "embeddings"


def test_of_two_publishers_the_second_is_refused_with_the_process_of_the_first(store: Store, embeddings: Path) -> None:
    first = published(store)
    with running(PUBLISH_SLOWLY, store.folder) as publisher:
        refused = matinee("index", embeddings, store.folder)
        assert refused.returncode == 1
        assert f"process {publisher.pid} on " in refused.stderr
        assert store.current() == first
        release(publisher)
    assert len(store.versions()) == 2
    assert store.current() == store.versions()[-1]


def test_a_publisher_that_waits_goes_on_when_the_first_is_done(store: Store, embeddings: Path) -> None:
    with running(PUBLISH_SLOWLY, store.folder) as publisher:
        code = (
            "import sys; from indexer.__main__ import main; print('started', flush=True); sys.exit(main(sys.argv[1:]))"
        )
        with running(code, "index", embeddings, store.folder, "--wait-s", 60) as waiting:
            release(publisher)
            release(waiting)
    assert len(store.versions()) == 2
    assert store.current() == store.versions()[-1]


def test_a_killed_publisher_blocks_nobody_and_leaves_nothing(store: Store, embeddings: Path) -> None:
    first = published(store)
    with running(PUBLISH_SLOWLY, store.folder) as publisher:
        publisher.send_signal(signal.SIGKILL)
        publisher.wait()
    assert (store.versions(), store.current()) == ([first], first)
    assert list((store.folder / "versions").glob(".*")) != []
    assert matinee("index", embeddings, store.folder).returncode == 0
    assert len(store.versions()) == 2
    assert list(store.folder.glob("**/.*")) == []


def test_what_another_process_has_open_is_not_pruned_and_goes_on_answering(store: Store) -> None:
    first, _ = published(store), published(store, 1)
    with running(READ, store.folder, first) as reader:
        done = matinee("store", "prune", store.folder, "--keep", "1")
        assert done.returncode == 0
        assert f"{first}  stays: a process has it open" in done.stdout
        assert first in store.versions()
        assert release(reader) == "1\n"
    assert first in matinee("store", "prune", store.folder, "--keep", "1").stdout
    assert first not in store.versions()


def test_a_killed_reader_holds_nothing(store: Store) -> None:
    first, _ = published(store), published(store, 1)
    with running(READ, store.folder, first) as reader:
        reader.send_signal(signal.SIGKILL)
        reader.wait()
        assert store.prune(1) == ([first], [])


@pytest.mark.parametrize("limit_bytes", [60, 200, 500, 1500])
def test_a_file_that_the_system_cuts_off_is_one_sentence_and_nothing_is_left(
    store: Store, embeddings: Path, limit_bytes: int
) -> None:
    start = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}))"
    first = published(store)
    refused = matinee("index", embeddings, store.folder, start=start)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith("matinee: ")
    assert (store.versions(), store.current()) == ([first], first)
    assert list(store.folder.glob("**/.*")) == []


BECOME_NOBODY = """
import contextlib, io, os
from indexer.__main__ import main
os.chdir({folder!r})
# Once beforehand, since nobody may not read where Python keeps what it imports on the way.
with contextlib.redirect_stdout(io.StringIO()):
    for verb in ("list", "show", "verify"):
        main(["store", verb, "store"])
os.setuid(65534)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_in_a_read_only_folder_reading_works_and_changing_is_one_sentence(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first, second = published(store), published(store, 1)
    # The folders above belong to whoever runs this: the process that becomes nobody has only its working folder.
    tmp_path.chmod(0o755)
    start = BECOME_NOBODY.format(folder=str(tmp_path))
    for verb in ("list", "show", "verify"):
        done = matinee("store", verb, "store", "--json", start=start)
        assert (done.returncode, done.stderr) == (0, "")
    for change in (["activate", "store", first], ["rollback", "store"], ["prune", "store", "--keep", "1"]):
        refused = matinee("store", *change, start=start)
        assert refused.returncode == 1
        assert refused.stderr.startswith("matinee: store/lock: Permission denied")
        assert refused.stderr.count("\n") == 1
    assert store.current() == second
