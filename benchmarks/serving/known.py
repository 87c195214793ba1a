"""What each version answers when nothing disturbs it, so that an answer of another, or of two, is told."""

from collections.abc import Sequence

from benchmarks.serving.calls import Answer, Request
from benchmarks.serving.questions import answers
from benchmarks.serving.servers import serving
from benchmarks.serving.worlds import World

WRONG = -1


class Known:
    """The answers of every version to every call; each version was asked in a process that served no other."""

    def __init__(self, versions: Sequence[str], by_version: Sequence[Sequence[bytes]]) -> None:
        self.versions = list(versions)
        self._codes = [{data: code for code, data in enumerate(of_one)} for of_one in zip(*by_version, strict=True)]

    @property
    def told_apart(self) -> int:
        """How many calls each version answers in another way."""
        return sum(len(codes) == len(self.versions) for codes in self._codes)

    def version_of(self, call: int, answer: Answer) -> int:
        """The place of the version that gave this answer to the call; WRONG where none does. For an Asker."""
        return self._codes[call].get(answer.data, WRONG)


def known(world: World, transport: str, calls: Sequence[Request]) -> Known:
    """What every version of `world` answers; the last one is current afterwards."""
    return Known(
        list(world.versions.values()),
        [_answers_of(world, version, transport, calls) for version in world.versions.values()],
    )


def _answers_of(world: World, version: str, transport: str, calls: Sequence[Request]) -> list[bytes]:
    world.store.activate(version)
    with serving(world.store.folder, transport) as server:
        return answers(server.address, calls)
