"""The page in a real browser: nothing to complain of, every chart drawn, nothing cut off on a phone."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.training.reported import reported, world

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium (make debian)")

MEASURE = """
<script>
addEventListener("load", () => {
  const charts = [...document.querySelectorAll("svg")].map(svg => {
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const boxes = [...svg.querySelectorAll("path, text")].map(shape => shape.getBBox());
    const names = [...svg.querySelectorAll("text.name, text.tick, text.below")].map(text => text.getBBox());
    const touch = (a, b) => Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x) > 1
      && Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y) > 4;
    return {
      shown: svg.getBoundingClientRect().width,
      outside: boxes.filter(({x, y, width: w, height: h}) =>
        Math.min(x, y, width - x - w, height - y - h) < -1).length,
      touching: names.filter((a, i) => names.some((b, j) => i < j && touch(a, b))).length,
      title: svg.closest("figure").querySelector("h3").textContent,
      marks: svg.querySelectorAll("path.mark, path.hit, path.bar").length,
    };
  });
  const page = {charts, scroll: document.documentElement.scrollWidth, inner: innerWidth,
                cut: [...document.querySelectorAll(".card > .scroll")]
                  .filter(box => box.scrollWidth > box.clientWidth + 1)
                  .map(box => box.getAttribute("aria-label")),
                ground: getComputedStyle(document.body).backgroundColor};
  parent.postMessage(JSON.stringify(page), "*");
});
</script>
"""

# A window can't be as narrow as a phone, a frame can.
FRAME = """<!doctype html><pre id="measured"></pre><script>
addEventListener("message", message => { document.getElementById("measured").textContent = message.data; });
</script><iframe src="measured.html" width="WIDTH" height="900" style="border: 0"></iframe>"""


def browse(page: Path, profile: Path, *flags: str) -> tuple[str, str]:
    """The document as the browser has it, and what it said on its console."""
    done = subprocess.run(
        [
            str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={profile}", "--enable-logging=stderr", "--dump-dom", *flags, page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )  # fmt: skip
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    reported(file, world(n_items=400))
    return file


def measured(page: Path, profile: Path, width: int, *flags: str) -> dict[str, Any]:
    """The layout at that width; the policy that forbids all scripts has to go for that."""
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    (profile / "measured.html").write_text(html.replace("</body>", f"{MEASURE}</body>"), encoding="utf-8")
    (profile / "frame.html").write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    document, _ = browse(profile / "frame.html", profile, "--window-size=1400,1000", *flags)
    found = re.search(r'<pre id="measured">(.+?)</pre>', document, re.DOTALL)
    assert found
    layout: dict[str, Any] = json.loads(unescape(found[1]))
    assert layout["inner"] == width
    return layout


def test_the_browser_has_nothing_to_complain_of_and_sees_every_chart(page: Path, tmp_path: Path) -> None:
    document, console = browse(page, tmp_path)
    assert console == ""
    assert document.count("<svg") == document.count("<figure") == page.read_text(encoding="utf-8").count("<svg") > 8


def test_a_page_that_somebody_changed_is_not_styled_and_the_browser_says_why(page: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    changed.write_text(page.read_text(encoding="utf-8").replace("font-weight: 500", "font-weight: 900"))
    assert "Content Security Policy" in browse(changed, tmp_path)[1]


@pytest.mark.parametrize("width", [390, 1280])
def test_every_chart_is_drawn_inside_its_box_and_no_name_covers_another(page: Path, tmp_path: Path, width: int) -> None:
    layout = measured(page, tmp_path, width)
    assert layout["scroll"] <= layout["inner"]
    for chart in layout["charts"]:
        assert chart["shown"] > 250, chart
        assert chart["marks"] > 0, chart
        assert (chart["outside"], chart["touching"]) == (0, 0), chart


def test_the_trials_of_a_model_that_ranks_can_be_read_without_scrolling(tmp_path: Path) -> None:
    figures = {"val_ndcg@10": 0.2044, "best_sweep": 10, "sweeps": 12, "seconds": 13.691, "given_up": False}
    search = [{"regularisation": 0.28284271247461906, "unseen_weight": 0.07071067811865475, **figures}]
    reported(tmp_path / "ranking.html", world(objective="ranking", scores="preferences", search=search))
    layout = measured(tmp_path / "ranking.html", tmp_path, 1280)
    assert layout["cut"] == []


def test_the_page_is_dark_where_the_reader_wants_it_dark(page: Path, tmp_path: Path) -> None:
    grounds = [
        measured(page, tmp_path, 800, f"--blink-settings=preferredColorScheme={scheme}")["ground"] for scheme in (0, 1)
    ]
    dark, light = (sum(map(int, re.findall(r"\d+", ground))) for ground in grounds)
    assert dark < 150 < 600 < light
