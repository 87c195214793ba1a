"""What was measured, on what, and what made it: enough to measure the same again."""

from importlib.metadata import version
from typing import Any

import numpy as np

from training.evaluation.report.evidence import Evidence
from training.evaluation.report.section import Section

_HASH_LETTERS = 16


def facts(evidence: Evidence, date: str) -> Section:
    """The model, the data and the versions in terms."""
    rows = [*_model(evidence), *_data(evidence), *_provenance(evidence, date)]
    return Section("facts", "What was measured", facts=[row for row in rows if row[1]])


def _model(evidence: Evidence) -> list[tuple[str, str]]:
    embeddings = evidence.embeddings
    description = embeddings.description
    kind = "ratings" if evidence.scores_are_ratings else "preferences, not ratings"
    return [
        ("Model", f"{embeddings.n_users:,} users × {embeddings.n_items:,} items, dim {embeddings.dim}"),
        ("Objective", _said(description.get("objective"))),
        ("Scores are", kind),
        ("Trained on", f"{len(embeddings.catalogue.seen.rows):,} ratings"),
        ("Settings", _listed(_settings(evidence))),
    ]


def _settings(evidence: Evidence) -> object:
    """The configuration, without what has a fact of its own."""
    config = evidence.embeddings.description.get("config")
    if not isinstance(config, dict):
        return None
    return {name: value for name, value in config.items() if name not in ("objective", "dim")}


def _data(evidence: Evidence) -> list[tuple[str, str]]:
    held_out, result = evidence.held_out, evidence.result
    n_users, n_items = len(np.unique(held_out.user_rows)), len(np.unique(held_out.item_rows))
    low, high = evidence.scale
    clipped = "; predictions are clipped to it" if evidence.scores_are_ratings else ""
    return [
        ("Measured on", f"{len(held_out.values):,} held-out ratings of {n_items:,} items by {n_users:,} users"),
        ("Left out", f"{held_out.n_unknown:,} of unknown users or items, {held_out.n_seen:,} that were trained on"),
        ("Hardly known", f"{held_out.n_cold:,} are of a user or an item without a rating in training"),
        (
            "Split",
            _said(evidence.embeddings.description.get("split")) or "not recorded; the ratings were given as they are",
        ),
        ("Rating scale", f"{low:g} … {high:g}{clipped}"),
        ("Liked means", f"rated {result['threshold']:g} or more"),
    ]


def _provenance(evidence: Evidence, date: str) -> list[tuple[str, str]]:
    description = evidence.embeddings.description
    return [
        ("Embeddings, SHA-256", evidence.embeddings.content_sha256[:_HASH_LETTERS]),
        ("Training data, SHA-256", _said(description.get("data_fingerprint"))[:_HASH_LETTERS]),
        ("Trained with", _listed(description.get("libraries"))),
        ("Measured", f"{date}, matinee {version('matinee')}"),
    ]


def _said(value: object) -> str:
    """A value of a manifest in words; empty where there is none."""
    return _listed(value) if isinstance(value, dict) else "" if value is None else str(value)


def _listed(values: object) -> str:
    if not isinstance(values, dict):
        return ""
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items() if value is not None)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
