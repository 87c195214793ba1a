"""Who asks: users spread evenly over how much they have seen, since what is left out costs time."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.serving.calls import Request, framed, request
from benchmarks.serving.h2load import PATH
from benchmarks.serving.http2 import Connection
from indexer.bundle import Bundle
from matinee.v1 import recommender_pb2 as pb

K = 10


@dataclass(frozen=True)
class Question:
    """One user's top K, seen items left out, and what a quiet server answers."""

    user_id: str
    n_seen: int
    message: bytes
    """The RecommendRequest."""

    @property
    def body(self) -> bytes:
        """The message as gRPC frames it."""
        return framed(self.message)

    @property
    def call(self) -> Request:
        """For benchmarks.serving.http2."""
        return request(PATH, self.message)


def spread_over_seen(bundle: Bundle, n: int) -> list[Question]:
    """`n` users at the middles of `n` equal parts of all users, in the order of how many items they have seen."""
    n_seen = np.diff(bundle.catalogue.seen.offsets)
    order = np.argsort(n_seen, kind="stable")
    rows = order[((np.arange(n) + 0.5) / n * len(order)).astype(np.int64)]
    return [_question(bundle.catalogue.user_ids[row], int(n_seen[row])) for row in rows.tolist()]


def _question(user_id: str, n_seen: int) -> Question:
    return Question(user_id, n_seen, pb.RecommendRequest(user_id=user_id, k=K).SerializeToString())


def answers(address: str, calls: Iterable[Request]) -> list[bytes]:
    """The data of the answer to each call, made one after the other. Exits where one is refused."""
    with Connection(address) as connection:
        found = [connection.ask(call) for call in calls]
    if bad := [answer.status for answer in found if answer.status != 0]:
        raise SystemExit(f"the server refused {len(bad)} quiet requests, with grpc-status {bad[0]}")
    return [answer.data for answer in found]
