"""What clients in other languages need, installed once for all tests, and servers to ask."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from server.trust.config import OPEN, Trust
from server.trust.tokens import fresh_token
from tests.fuzz.worlds import WORLDS
from tests.matinee.certificates import Certificates
from tests.server.running import publish, running

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "clients"
HERE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the clients in Node.js and their packages, as the lock file says. Skips where there are none."""
    folder = tmp_path_factory.mktemp("node")
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node.js here: make debian installs it")
    shutil.copytree(EXAMPLES, folder / "clients")
    for name in ("package.json", "package-lock.json", "client.js"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    if done.returncode != 0:
        pytest.skip(f"npm could not fetch the client's packages: {done.stderr.strip()[-300:]}")
    return folder


@dataclass(frozen=True)
class Asked:
    """A server as a client is told of it."""

    address: str
    environment: dict[str, str] = field(default_factory=dict)
    """Whom to trust and what to show, as the clients read it."""


@pytest.fixture(params=["plain text", "TLS"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Asked]:
    """A server of WORLDS["rating"]: open and in plain text, or under TLS and for those with a token."""
    publish(tmp_path / "store", WORLDS["rating"])
    trust, environment = OPEN, {}
    if request.param == "TLS":
        certificates, (token, hashed) = Certificates(tmp_path / "certificates"), fresh_token()
        (tmp_path / "tokens").write_text(hashed)
        trust = Trust(certificates.server, tmp_path / "tokens")
        environment = {"MATINEE_CA": str(certificates.ca), "MATINEE_TOKEN": token}
    with running(tmp_path / "store", trust=trust) as server:
        yield Asked(str(server.address), environment)
