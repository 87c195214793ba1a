"""Tests over a socket run once on each transport."""

from collections.abc import Iterator

import pytest

from tests.server.running import TRANSPORT


@pytest.fixture(scope="module", params=["grpcio", "native"])
def transport(request: pytest.FixtureRequest) -> Iterator[str]:
    """The transport that servers in this module get, of this process and of others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TRANSPORT, request.param)
        yield request.param
