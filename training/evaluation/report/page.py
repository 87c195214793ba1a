"""Embeddings, held-out ratings and their figures → one HTML file that needs nothing else."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from training.artefact import sync
from training.embeddings import Embeddings
from training.errors import PlaceTakenError, TrainingError
from training.evaluation.held_out import HeldOut
from training.evaluation.report.drawing import draw
from training.evaluation.report.errors import rating_errors
from training.evaluation.report.evidence import Evidence
from training.evaluation.report.examples import examples
from training.evaluation.report.facts import facts
from training.evaluation.report.learning import learning
from training.evaluation.report.popularity import popularity
from training.evaluation.report.ranking import ranking
from training.evaluation.report.summary import summary


def check_report_place(file: Path, *, overwrite: bool) -> None:
    """Raise where a report can't be written to `file`, before long work.

    TrainingError for a folder; PlaceTakenError for an existing file without `overwrite`.
    """
    if file.is_dir():
        raise TrainingError(f"{file}: is a folder; a report is one file, such as {file / 'report.html'}")
    if file.exists() and not overwrite:
        raise PlaceTakenError(file)


def write_report(
    file: Path, embeddings: Embeddings, held_out: HeldOut, result: Mapping[str, Any], *, overwrite: bool = False
) -> None:
    """Write the page of what `evaluate` returned as `result` for `embeddings` on `held_out`, whole or not at all.

    Raises what `check_report_place` raises.
    """
    check_report_place(file, overwrite=overwrite)
    page = render(Evidence(embeddings, held_out, result), datetime.now(UTC))
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.draft")
    try:
        # A manifest may hold half of a surrogate pair, which UTF-8 has no bytes for.
        draft.write_text(page, encoding="utf-8", errors="replace")
        sync(draft)
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


def render(evidence: Evidence, now: datetime) -> str:
    """The page as HTML; everything in it that is text is escaped by the template."""
    sections = [
        summary(evidence),
        facts(evidence, f"{now:%Y-%m-%d %H:%M} UTC"),
        learning(evidence),
        *rating_errors(evidence),
        ranking(evidence),
        popularity(evidence),
        examples(evidence),
    ]
    environment = Environment(
        loader=PackageLoader("training.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, _, _ = environment.loader.get_source(environment, "style.css")  # type: ignore[union-attr]  # given above
    page = environment.get_template("page.html")
    return page.render(sections=sections, draw=draw, style=style, style_hash=_csp_hash(style))


def _csp_hash(text: str) -> str:
    """What a content security policy calls the one style sheet that it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
