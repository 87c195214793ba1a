"""The one reference to what is served. A request takes it once and answers from it to its end."""

from server.errors import NoModelError
from server.retriever import Retriever


class Live:
    """Holds the retriever that answers now; the one before it is freed when its last request ends."""

    def __init__(self) -> None:
        self._retriever: Retriever | None = None

    @property
    def version(self) -> str | None:
        """The version that answers, or None where none does yet."""
        retriever = self._retriever
        return None if retriever is None else retriever.version

    def retriever(self) -> Retriever:
        """What answers a request that begins now. Raises NoModelError."""
        if self._retriever is None:
            raise NoModelError
        return self._retriever

    def flip(self, retriever: Retriever) -> Retriever | None:
        """Let `retriever` answer every request that begins from now on; the one before it."""
        before, self._retriever = self._retriever, retriever
        return before
