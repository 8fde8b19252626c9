"""A report in headless Chromium: quiet, offline, and fit for a phone, the dark and paper."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import PROGRAM, Browser, browser
from long_report import huge

import onnx2snn
from onnx2snn.reporting.page import render
from onnx2snn.reporting.pictures import inline

DEMO = Path(str(files("onnx2snn"))) / "demo"
WIDTHS = (320, 360, 768, 1280, 1920)
Picture = np.ndarray[Any, np.dtype[np.float64]]

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """whole.html, bare.html and huge.html."""
    pytest.importorskip("matplotlib", reason="the report extra is not installed")
    folder = tmp_path_factory.mktemp("pages")
    onnx2snn.convert(DEMO / "digits.onnx", code="signed-if").save(folder / "net")
    with np.load(DEMO / "digits.npz") as samples:
        np.savez(folder / "few.npz", x=samples["x"][:12], y=samples["y"][:12])
    facts = onnx2snn.report(
        folder / "net", folder / "whole.html", data=folder / "few.npz", model=DEMO / "digits.onnx", sample=1
    )
    onnx2snn.report(folder / "net", folder / "bare.html")
    large = huge(facts, 200)
    (folder / "huge.html").write_text(render(large, inline(large)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


def pixels(png: bytes) -> Picture:
    """(height, width) brightness from 0 to 1."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), np.float64) / 255


@pytest.mark.parametrize("page", ["whole", "bare", "huge"])
def test_quiet_and_offline(page: str, pages: Path, chromium: Browser) -> None:
    address = (pages / f"{page}.html").absolute().as_uri()
    chromium.open(pages / f"{page}.html")
    assert chromium.complaints == []
    asked = chromium.requests
    assert asked[0] == address
    assert all(other.startswith("data:") for other in asked[1:])


def test_complaints_and_requests_would_be_noticed(tmp_path: Path, chromium: Browser) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<img src=none.png><script>console.error('no'); throw new Error('never')</script>")
    chromium.open(page)
    assert any("never" in text for text in chromium.complaints)
    assert any("none.png" in address for address in chromium.requests)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", ["whole", "bare", "huge"])
def test_nothing_sticks_out(page: str, width: int, pages: Path, chromium: Browser) -> None:
    chromium.open(pages / f"{page}.html", width)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width
    outside = chromium.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('.box, svg') && "
        "e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert outside == []


def test_pictures_are_legible_on_a_phone(pages: Path, chromium: Browser) -> None:
    chromium.open(pages / "whole.html", 360)
    sizes = chromium.evaluate("[...document.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height)")
    assert len(sizes) > 20
    assert min(sizes) > 7


def test_dark_is_dark_and_light_is_light(pages: Path, chromium: Browser) -> None:
    for dark in (False, True):
        chromium.open(pages / "whole.html", dark=dark)
        shown = pixels(chromium.screenshot())
        background = float(np.median(shown))
        assert background < 0.15 if dark else background > 0.95
        ink = np.abs(shown - background) > 0.5
        assert ink.mean() > 0.005, "text and pictures stand out"


CONTRASTS = """
(() => {
  const parts = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m.slice(0, 3), 1] : m };
  const light = c => { const [r, g, b] = parts(c).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  const behind = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor; if (parts(c)[3] > 0) return c } return 'rgb(255, 255, 255)' };
  const told = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  return [...document.querySelectorAll('body *')].filter(told).map(e => {
    const style = getComputedStyle(e), colour = e.closest('svg') ? style.fill : style.color;
    const [a, b] = [light(colour), light(behind(e))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.outerHTML.slice(0, 80)] }).sort((x, y) => x[0] - y[0])[0];
})()
"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("page", ["whole", "bare"])
def test_text_has_contrast(page: str, dark: bool, pages: Path, chromium: Browser) -> None:
    chromium.open(pages / f"{page}.html", dark=dark)
    least, element = chromium.evaluate(CONTRASTS)
    assert least >= 4.5, element


def test_wide_and_long_tables_scroll_in_their_box(pages: Path, chromium: Browser) -> None:
    chromium.open(pages / "huge.html", 360)
    boxes = "[...document.querySelectorAll('.box')]"
    assert chromium.evaluate(f"{boxes}.every(e => e.scrollWidth > e.clientWidth && e.clientHeight < 600)")
    assert chromium.evaluate(f"{boxes}.every(e => e.tabIndex === 0 && e.getAttribute('aria-label'))")


def test_paper(pages: Path, chromium: Browser) -> None:
    chromium.open(pages / "huge.html", dark=True)
    printed = chromium.pdf()
    chromium.open(pages / "whole.html", dark=True)
    count = [len(re.findall(rb"/Type /Page\b", text)) for text in (printed, chromium.pdf())]
    assert count[1] < count[0], "600 rows are printed, not the first few"
    assert 2 <= count[1] <= 6
    chromium.open(pages / "whole.html", dark=True, media="print")
    assert float(np.median(pixels(chromium.screenshot()))) > 0.95
    assert chromium.evaluate("getComputedStyle(document.querySelector('.box')).overflow") == "visible"
