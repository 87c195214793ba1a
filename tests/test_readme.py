"""The README is run, block by block, then docs/: every `$ matinee …` line, in order, in one folder, as a user would."""

import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from matinee import Client

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("training.md",)]
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks() -> list[str]:
    return [block for page in (README, *DOCS) for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL)]


def commands() -> list[str]:
    """Every command that follows a `$ `, its comment left off."""
    lines = [line[2:] for block in blocks() for line in block.splitlines() if line.startswith("$ ")]
    return [line.split("  #")[0].strip() for line in lines]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address that every command takes for its default, so that a server of the machine's own is no hindrance."""
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("MATINEE_ADDRESS", address)
    monkeypatch.setenv("MATINEE_SERVER", address)
    return address


@pytest.fixture
def background(elsewhere: str) -> Iterator[list[subprocess.Popen[bytes]]]:
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^):#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_flag_that_the_pages_name_exists() -> None:
    named = {flag for page in (README, *DOCS) for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]+[a-z]", page)}
    verbs = ("train", "evaluate", "demo", "recommend", "index", "serve", "import-arrays", "import-notebook")
    helps = [*([verb] for verb in verbs), ["store", "prune"], ["store", "diff"]]
    commands = [[sys.executable, "-m", "matinee", *verb, "--help"] for verb in helps]
    shown = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in commands]
    assert named <= {flag for text in shown for flag in re.findall(r"--[a-z][a-z-]+[a-z]", text)}


# A demo of its own runs in tests/test_demo.py, and a download needs the internet.
ELSEWHERE = ("demo", "download")


@pytest.mark.timeout(600)
def test_every_command_of_the_readme_and_of_the_docs_works(
    tmp_path: Path, elsewhere: str, background: list[subprocess.Popen[bytes]]
) -> None:
    typed = [shlex.split(line.removesuffix("&")) for line in commands() if line.startswith("matinee ")]
    assert len(typed) >= 10
    for _, verb, *arguments in typed:
        command = [sys.executable, "-m", "matinee", verb, *arguments]
        if verb in ELSEWHERE:
            continue
        if verb == "serve":
            background.append(subprocess.Popen(command, cwd=tmp_path))
            with Client(elsewhere) as client:
                client.wait_until_ready(timeout_s=30)
            continue
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
