"""Stores with published versions, and real servers over them on real sockets."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from indexer.build import BuildOptions, build_bundle
from indexer.bundle import Bundle
from indexer.store import Store
from matinee.client import Client
from matinee.connection import Retry
from server.limits import Limits
from server.service import Server, ServerConfig, create_server
from tests.world import random_embeddings
from training.columns import Ragged
from training.embeddings import Embeddings

# Which transport servers get; `matinee serve` reads it too. The fixture `transport` sets it.
TRANSPORT = "MATINEE_TRANSPORT"


def publish(store: Path, embeddings: Embeddings) -> str:
    """The version that `embeddings` got in `store`; current."""
    return Store(store).publish(building(embeddings))


def building(embeddings: Embeddings) -> Callable[[Path], object]:
    """What fills a draft with the bundle of `embeddings`."""
    # Of some thousand items others would be tried, for seconds; what they answer is tested where they are chosen.
    return lambda draft: build_bundle(embeddings, draft, BuildOptions("Flat"))


def opened(store: Path, embeddings: Embeddings) -> Bundle:
    """The bundle of `embeddings`, published in `store`."""
    return Store(store).open(publish(store, embeddings))


def configured(store: Path, **config: Any) -> ServerConfig:
    """A server over `store` on a free port; `config` may hold fields of ServerConfig and of Limits."""
    limits = Limits(**{name: config.pop(name) for name in set(config) & set(Limits.model_fields)})
    transport = os.environ.get(TRANSPORT, "grpcio")
    settings = {"address": "127.0.0.1:0", "poll_interval_s": 0.01, "transport": transport, **config}
    return ServerConfig(store=store, limits=limits, **settings)


def made(store: Path, **config: Any) -> Server:
    """A server as `configured`, not yet started."""
    return create_server(configured(store, **config))[0]


@contextmanager
def running(store: Path, **config: Any) -> Iterator[Server]:
    """A server as `made`, started."""
    server = made(store, **config)
    server.start()
    try:
        yield server
    finally:
        server.stop(grace_s=5.0)


@contextmanager
def asking(server: Server) -> Iterator[Client]:
    """A client of `server` that is patient with a busy machine, and hides no failure by asking again."""
    with Client(str(server.address), timeout_s=30.0, retry=Retry(max_attempts=1)) as client:
        yield client


@contextmanager
def channel_to(server: Server) -> Iterator[grpc.Channel]:
    """A channel to `server`."""
    with grpc.insecure_channel(str(server.address)) as channel:
        yield channel


def pushback_ms(call: Any) -> int:
    """What the trailer of a refused call says: when to come back."""
    trailers = {entry.key: entry.value for entry in call.trailing_metadata()}
    return int(trailers["grpc-retry-pushback-ms"])


def every_share_seen(n_users: int = 25, n_items: int = 120, seed: int = 0) -> Embeddings:
    """A random model whose users have seen from none to all of the items."""
    embeddings = random_embeddings(n_users, n_items, seed=seed)
    shares = np.linspace(0, n_items, n_users).astype(int)
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(n_items), (n_users, 1)), axis=1)
    seen = Ragged.of([sorted(rows[:share].tolist()) for rows, share in zip(order, shares, strict=True)])
    return replace(embeddings, catalogue=replace(embeddings.catalogue, seen=seen))


def full_of_ties(embeddings: Embeddings) -> Embeddings:
    """The same users and items with vectors so coarse that most scores are equal to others, and exact in any order."""
    n_items = embeddings.n_items
    few = np.round(embeddings.item_embeddings[np.arange(n_items) % 3])
    # Rows of zeros too: their cosine with anything is 0.
    few[np.arange(n_items) % 7 == 0] = 0
    return replace(
        embeddings,
        user_embeddings=np.round(embeddings.user_embeddings),
        item_embeddings=few,
        item_biases=np.round(embeddings.item_biases[np.arange(n_items) % 2]),
        user_biases=np.round(embeddings.user_biases),
    )


def cosines(embeddings: Embeddings, item_row: int) -> NDArray[np.float64]:
    """The cosine of one item's embedding with every item's: float64 (n_items,); 0 where one of them is all zero."""
    vectors = embeddings.item_embeddings.astype(np.float64)
    lengths = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    alike: NDArray[np.float64] = (units * units[item_row]).sum(axis=1)
    return alike


def similar_oracle(embeddings: Embeddings, item_row: int, k: int, excluded: list[int]) -> list[int]:
    """The k item rows with the highest cosine in float64, equal ones in the order of the rows."""
    alike = cosines(embeddings, item_row)
    alike[[item_row, *excluded]] = -np.inf
    order = np.lexsort((np.arange(len(alike)), -alike))
    return [int(row) for row in order[:k] if np.isfinite(alike[row])]
