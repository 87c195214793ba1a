"""The client for asyncio: the same methods, options, answers and errors as `matinee.client`."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import grpc
from google.protobuf.message import Message
from grpc import aio

from matinee import calls, health
from matinee.answers import Items, PredictedRatings, Recommendations, RecommendationsFromRatings, UserRecommendations
from matinee.calls import Call
from matinee.connection import RETRY, Connection, Keywords, Retry, Tls
from matinee.failures import service_errors
from matinee.hedging import Ended, Hedging, Throttle, attempts
from matinee.options import CallOptions, Filters, Id, KnownUserFilters, UserFilters
from matinee.v1 import recommender_pb2_grpc as pb_grpc

_Answer = TypeVar("_Answer")


class AsyncClient:
    """`matinee.Client` for asyncio: to be made inside the event loop, once, and kept.

    >>> async with AsyncClient("127.0.0.1:50051") as client:
    ...     for item in (await client.recommend("42", k=5)).items:
    ...         print(item.title, item.score)
    """

    def __init__(
        self,
        address: str | Sequence[str] = "127.0.0.1:50051",
        timeout_s: float = 1.0,
        *,
        tls: Tls | None = None,
        token: str | Callable[[], str] | None = None,
        retry: Retry | Hedging = RETRY,
    ) -> None:
        self._connection = Connection(address, timeout_s, tls, token, retry)
        self._channel = self._connection.open(aio.insecure_channel, aio.secure_channel)
        self._stub: Any = pb_grpc.RecommenderStub(self._channel)
        self._check: Any = self._channel.unary_unary(health.CHECK)
        self._throttle = Throttle()

    @property
    def address(self) -> str:
        """As `Client.address`."""
        return str(self._connection)

    async def recommend(self, user_id: Id, k: int = 10, **options: Unpack[KnownUserFilters]) -> Recommendations:
        """As `Client.recommend`."""
        return await self._answer(calls.recommend(user_id, k, options))

    async def similar_items(self, item_id: Id, k: int = 10, **options: Unpack[Filters]) -> Recommendations:
        """As `Client.similar_items`."""
        return await self._answer(calls.similar_items(item_id, k, options))

    async def predict_ratings(
        self, user_id: Id, item_ids: Iterable[Id], **options: Unpack[CallOptions]
    ) -> PredictedRatings:
        """As `Client.predict_ratings`."""
        return await self._answer(calls.predict_ratings(user_id, item_ids, options))

    async def get_items(self, item_ids: Iterable[Id], **options: Unpack[CallOptions]) -> Items:
        """As `Client.get_items`."""
        return await self._answer(calls.get_items(item_ids, options))

    async def recommend_from_ratings(
        self, ratings: Mapping[str, float] | Mapping[int, float], k: int = 10, **options: Unpack[UserFilters]
    ) -> RecommendationsFromRatings:
        """As `Client.recommend_from_ratings`."""
        return await self._answer(calls.recommend_from_ratings(ratings, k, options))

    def batch_recommend(
        self, user_ids: Iterable[Id], k: int = 10, **options: Unpack[KnownUserFilters]
    ) -> AsyncIterator[UserRecommendations]:
        """As `Client.batch_recommend`, for `async for`."""
        return self._answers(calls.batch_recommend(user_ids, k, options))

    async def wait_until_ready(self, timeout_s: float = 30.0) -> None:
        """As `Client.wait_until_ready`."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            with service_errors(self.address, timeout_s):
                if await self._health(left_s, wait_for_ready=True) == health.SERVING:
                    return
            await asyncio.sleep(min(health.POLL_S, max(0.0, deadline - time.monotonic())))
        raise health.not_ready(self.address, timeout_s)

    async def is_reachable(self) -> bool:
        """As `Client.is_reachable`."""
        try:
            return await self._health(self._connection.timeout_s, wait_for_ready=False) is not None
        except grpc.RpcError:
            return True

    async def close(self) -> None:
        """Close the channel, cancelling what is still asked; the client can't be used any more."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _answer(self, call: Call[_Answer]) -> _Answer:
        method, keywords = getattr(self._stub, call.method), self._connection.keywords(call)
        with service_errors(self.address, keywords["timeout"], call.request_id):
            if isinstance(self._connection.retry, Hedging):
                response = await _first_of(method, call.request, keywords, self._connection.retry, self._throttle)
            else:
                response = await method(call.request, **keywords)
        return call.read(response)

    async def _answers(self, call: Call[Iterator[_Answer]]) -> AsyncIterator[_Answer]:
        method, keywords = getattr(self._stub, call.method), self._connection.keywords(call)
        stream = method(call.request, **keywords)
        try:
            with service_errors(self.address, keywords["timeout"], call.request_id):
                async for response in stream:
                    for answer in call.read(response):
                        yield answer
        finally:
            stream.cancel()

    async def _health(self, timeout_s: float, *, wait_for_ready: bool) -> bytes | None:
        """What a health check answers, None where there is no server. Raises gRPC's errors of one that is."""
        try:
            response: bytes = await self._check(health.WHOLE_SERVER, timeout=timeout_s, wait_for_ready=wait_for_ready)
        except grpc.RpcError as error:
            if health.is_absence(error):
                return None
            raise
        return response


async def _first_of(method: Any, request: Message, keywords: Keywords, hedging: Hedging, throttle: Throttle) -> Any:
    """The response of the attempt that decides. Raises gRPC's error where it failed."""
    started: list[Any] = []
    running: set[asyncio.Task[Ended]] = set()

    def start(timeout_s: float) -> None:
        started.append(method(request, **{**keywords, "timeout": timeout_s}))
        running.add(asyncio.create_task(_end_of(started[-1])))

    deciding = attempts(start, keywords["timeout"], hedging, throttle)
    try:
        wait_s = next(deciding)
        while True:
            wait_s = deciding.send(await _next_of(running, wait_s))
    except StopIteration as decided:
        return await decided.value.call
    finally:
        for call in started:
            call.cancel()


async def _next_of(running: "set[asyncio.Task[Ended]]", wait_s: float) -> Ended | None:
    if not running:
        await asyncio.sleep(wait_s)
        return None
    ended, _ = await asyncio.wait(running, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    if not ended:
        return None
    one = ended.pop()
    running.remove(one)
    return one.result()


async def _end_of(call: Any) -> Ended:
    return Ended(call, await call.code(), tuple(await call.trailing_metadata()))
