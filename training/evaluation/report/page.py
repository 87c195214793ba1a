"""Embeddings, held-out ratings and their figures → one HTML file that needs nothing else."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.embeddings import Embeddings
from training.evaluation.held_out import HeldOut
from training.evaluation.report.errors import rating_errors
from training.evaluation.report.evidence import Evidence
from training.evaluation.report.examples import examples
from training.evaluation.report.facts import facts
from training.evaluation.report.html import Heading, check_report_place, render_page, write_page
from training.evaluation.report.learning import learning
from training.evaluation.report.popularity import popularity
from training.evaluation.report.ranking import ranking
from training.evaluation.report.summary import summary

_HEADING = Heading("matinee evaluate", "Matinee: evaluation of a model", "evaluation", "How good is this model?")


def write_report(
    file: Path, embeddings: Embeddings, held_out: HeldOut, result: Mapping[str, Any], *, overwrite: bool = False
) -> None:
    """Write the page of what `evaluate` returned as `result` for `embeddings` on `held_out`, whole or not at all.

    Raises what `check_report_place` raises.
    """
    check_report_place(file, overwrite=overwrite)
    write_page(file, render(Evidence(embeddings, held_out, result), datetime.now(UTC)), overwrite=overwrite)


def render(evidence: Evidence, now: datetime) -> str:
    """The page as HTML."""
    sections = [
        summary(evidence),
        facts(evidence, f"{now:%Y-%m-%d %H:%M} UTC"),
        learning(evidence),
        *rating_errors(evidence),
        ranking(evidence),
        popularity(evidence),
        examples(evidence),
    ]
    return render_page(_HEADING, sections)
