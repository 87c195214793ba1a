"""The README is run, block by block: every `$ matinee …` line of it, in order, in one folder, as a new user would."""

import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks() -> list[str]:
    return re.findall(r"```console\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    """Every command that follows a `$ `, its comment left off."""
    lines = [line[2:] for block in blocks() for line in block.splitlines() if line.startswith("$ ")]
    return [line.split("  #")[0].strip() for line in lines]


@pytest.fixture
def background() -> Iterator[list[subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []
    yield running
    for process in running:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_the_quick_start_stands_in_the_first_twenty_lines() -> None:
    assert "make demo" in "\n".join(README.splitlines()[:20])


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"`?make ([a-z-]+)", README))
    assert targets <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


@pytest.mark.timeout(600)
def test_every_command_of_the_readme_works(tmp_path: Path, background: list[subprocess.Popen[bytes]]) -> None:
    typed = [line for line in commands() if line.startswith("matinee ")]
    assert len(typed) >= 10
    matinee = shutil.which("matinee", path=str(Path(sys.executable).parent))
    assert matinee is not None
    for line in typed:
        words = shlex.split(line.removesuffix("&"))
        if words[1] == "demo":
            continue  # tests/test_demo.py runs it
        if words[1] == "download":
            continue  # it needs the internet; tests/training/test_download.py runs it against a server of its own
        if words[1] == "serve":
            background.append(subprocess.Popen([matinee, *words[1:]], cwd=tmp_path))
            time.sleep(3)
            continue
        done = subprocess.run([matinee, *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
