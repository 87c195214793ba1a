"""`matinee download` against a real HTTP server on the loopback: resumed, verified, whole or not at all."""

import hashlib
import io
import json
import random
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from matinee.command import DONE, FAILED, WRONG_USAGE
from training.__main__ import main
from training.data.ratings import read_ratings

NAME = "ml-latest-small"
RATINGS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{user},{item},{random.Random(user * item).randrange(1, 11) / 2},{user * item}\n"
    for user in range(1, 200)
    for item in range(1, 200)
)


def archive_of(members: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


@dataclass
class Mirror:
    """What the server does: its files, how many bytes it sends before it hangs up, what it was asked."""

    files: dict[str, bytes]
    url: str = ""
    cut_after: list[int] = field(default_factory=list)
    knows_ranges: bool = True
    asked: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    mirror: ClassVar[Mirror]

    def do_GET(self) -> None:  # http.server's name
        mirror = self.mirror
        wanted = self.headers.get("Range", "")
        mirror.asked.append(f"{self.path} {wanted}".strip())
        content = mirror.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        match = re.fullmatch(r"bytes=(\d+)-", wanted) if mirror.knows_ranges else None
        start = int(match.group(1)) if match else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        is_archive = self.path.endswith(".zip")
        end = start + mirror.cut_after.pop(0) if is_archive and mirror.cut_after else len(content)
        self.wfile.write(content[start:end])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """Silence: standard error is for what the command says."""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    content = archive_of({f"{NAME}/ratings.csv": RATINGS, f"{NAME}/README.txt": "read me"})
    line = f"MD5 ({NAME}.zip) = {hashlib.md5(content, usedforsecurity=False).hexdigest()}\n"
    mirror = Mirror({f"/{NAME}.zip": content, f"/{NAME}.zip.md5": line.encode()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("MirrorHandler", (Handler,), {"mirror": mirror}))
    mirror.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield mirror
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(mirror: Mirror, out: Path, name: str = NAME) -> int:
    return main(["download", name, str(out), "--base-url", mirror.url, "--json"])


def replace_archive(mirror: Mirror, content: bytes) -> None:
    mirror.files[f"/{NAME}.zip"] = content
    mirror.files[f"/{NAME}.zip.md5"] = hashlib.md5(content, usedforsecurity=False).hexdigest().encode()


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_data_set_is_fetched_verified_and_unpacked(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(mirror, tmp_path / "data") == DONE
    result = json.loads(capsys.readouterr().out)
    assert result["files"] == ["README.txt", "ratings.csv"]
    assert len(read_ratings(tmp_path / "data")) == 199 * 199
    assert left_in(tmp_path) == ["data"]


def test_without_a_folder_the_name_is_the_folder(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MATINEE_BASE_URL", mirror.url)
    assert main(["download", NAME]) == DONE
    assert left_in(tmp_path) == [NAME]


def test_a_cut_connection_is_resumed_at_once(mirror: Mirror, tmp_path: Path) -> None:
    mirror.cut_after = [1000, 500]
    assert fetch(mirror, tmp_path / "data") == DONE
    assert mirror.asked[1:] == [f"/{NAME}.zip", f"/{NAME}.zip bytes=1000-", f"/{NAME}.zip bytes=1500-"]
    assert len(read_ratings(tmp_path / "data")) == 199 * 199


def test_a_download_given_up_goes_on_in_the_next_run(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.cut_after = [1000, 0, 0, 0]
    assert fetch(mirror, tmp_path / "data") == FAILED
    assert "1,000 bytes have come, the same command goes on from there" in capsys.readouterr().err
    assert left_in(tmp_path) == [f"{NAME}.zip.part"]
    assert fetch(mirror, tmp_path / "data") == DONE
    assert mirror.asked[-1] == f"/{NAME}.zip bytes=1000-"
    assert left_in(tmp_path) == ["data"]


def test_a_server_without_ranges_is_read_from_the_beginning(mirror: Mirror, tmp_path: Path) -> None:
    mirror.knows_ranges = False
    mirror.cut_after = [1000]
    assert fetch(mirror, tmp_path / "data") == DONE
    assert len(read_ratings(tmp_path / "data")) == 199 * 199


@pytest.mark.parametrize("n_bytes", [10, 10_000_000])
def test_a_foreign_part_costs_one_more_download(n_bytes: int, mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.zip.part").write_bytes(b"x" * n_bytes)
    assert fetch(mirror, tmp_path / "data") == DONE
    assert left_in(tmp_path) == ["data"]


def test_what_is_not_what_its_hash_says_is_not_kept(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.files["/ml-20m.zip"] = mirror.files[f"/{NAME}.zip"]
    assert fetch(mirror, tmp_path / "data", "ml-20m") == FAILED
    assert "is not what its MD5 cd245b17a1ae2cc31bb14903e1204af3 says; nothing was kept" in capsys.readouterr().err
    assert left_in(tmp_path) == []


def test_a_missing_archive_and_a_strange_hash_are_one_sentence(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(mirror, tmp_path / "data", "ml-1m") == FAILED
    assert f"{mirror.url}/ml-1m.zip: the server answers 404 Not Found; is the name right?" in capsys.readouterr().err
    mirror.files[f"/{NAME}.zip.md5"] = b"<html>welcome to the hotel network</html>"
    assert fetch(mirror, tmp_path / "data") == FAILED
    assert "holds no MD5 but '<html>" in capsys.readouterr().err
    assert left_in(tmp_path) == []


def test_offline_is_one_sentence(mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mirror.url = "http://127.0.0.1:9"  # discard: nothing listens there
    for name in (NAME, "ml-1m"):
        assert fetch(mirror, tmp_path / "data", name) == FAILED
        assert "can't be reached: [Errno 111] Connection refused; is this machine online?" in capsys.readouterr().err
    assert left_in(tmp_path) == []
    mirror.url = "file:///etc"
    assert fetch(mirror, tmp_path / "data") == FAILED
    assert "only http and https are fetched" in capsys.readouterr().err


@pytest.mark.parametrize("member", ["../evil.txt", "/evil.txt", f"{NAME}/../../evil.txt", "a\\..\\evil.txt"])
def test_no_name_leads_out_of_the_folder(
    member: str, mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_archive(mirror, archive_of({member: "evil"}))
    assert fetch(mirror, tmp_path / "in" / "data") == FAILED
    assert "which leads out of its folder" in capsys.readouterr().err
    assert left_in(tmp_path) == ["in"]
    assert left_in(tmp_path / "in") == []
    assert not Path("/evil.txt").exists()


def test_what_is_no_archive_is_not_kept(mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace_archive(mirror, b"not a zip")
    assert fetch(mirror, tmp_path / "data") == FAILED
    assert "is no zip archive that can be read" in capsys.readouterr().err
    assert left_in(tmp_path) == []


def test_what_is_there_already_stays(mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").write_text("mine")
    assert fetch(mirror, tmp_path / "data") == FAILED
    assert "exists already" in capsys.readouterr().err
    assert mirror.asked == []
    assert main(["download", "ml-3m"]) == WRONG_USAGE
