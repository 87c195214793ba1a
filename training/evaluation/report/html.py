"""Sections → one HTML file that needs nothing else: no script, no fetched style, no picture."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from training.artefact import sync
from training.errors import PlaceTakenError, TrainingError
from training.evaluation.report.drawing import draw
from training.evaluation.report.section import Section


@dataclass(frozen=True)
class Heading:
    """What stands above the sections."""

    generator: str
    """The command that made the page."""
    title: str
    """Of the window."""
    kind: str
    """After the name of the program."""
    question: str
    """What the page answers."""


def check_report_place(file: Path, *, overwrite: bool) -> None:
    """Raise where a report can't be written to `file`, before long work.

    TrainingError for a folder; PlaceTakenError for an existing file without `overwrite`.
    """
    if file.is_dir():
        raise TrainingError(f"{file}: is a folder; a report is one file, such as {file / 'report.html'}")
    if file.exists() and not overwrite:
        raise PlaceTakenError(file)


def write_page(file: Path, page: str, *, overwrite: bool = False) -> None:
    """Write `page` whole or not at all. Raises what `check_report_place` raises."""
    check_report_place(file, overwrite=overwrite)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.draft")
    try:
        # A manifest may hold half of a surrogate pair, which UTF-8 has no bytes for.
        draft.write_text(page, encoding="utf-8", errors="replace")
        sync(draft)
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


def render_page(heading: Heading, sections: Sequence[Section]) -> str:
    """The page as HTML, the first section above all others; everything that is text is escaped by the template."""
    environment = Environment(
        loader=PackageLoader("training.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, _, _ = environment.loader.get_source(environment, "style.css")  # type: ignore[union-attr]  # given above
    page = environment.get_template("page.html")
    return page.render(heading=heading, sections=sections, draw=draw, style=style, style_hash=_csp_hash(style))


def _csp_hash(text: str) -> str:
    """What a content security policy calls the one style sheet that it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
