"""A study's report in a real headless Chromium: sorting, filters, values on hover, details of a point by keyboard."""

import base64

import pytest

from .calls import call
from .chromium import NEEDED, WINDOWS
from .test_report_in_a_browser import TIP

pytestmark = NEEDED

STUDY = """network: [lenet_300_100, lenet5]
hardware: systolic
axes:
  array.rows: [4, 8, 16]
  dataflow.stationary: [os, ws]
"""
SHOWN = "[...document.querySelectorAll('#table tbody tr')].filter(r => !r.hidden)"
DOT = "svg[data-figure=front-0] .best"
DIALOG = "document.getElementById('point')"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "s.yaml").write_text(STUDY)
    assert call("sweep", folder / "s.yaml", "--out", folder / "s", "--workers", 1, "--quiet").code == 0
    assert call("report", folder / "s").code == 0
    return folder / "s" / "report.html"


@WINDOWS
def test_it_loads_without_errors_and_is_no_wider_than_the_window(browser, page, width, dark):
    browser.open(page, width, dark=dark)
    assert browser.said == []
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(f"{SHOWN}.length") == 12
    assert browser.run("document.getElementById('count').textContent") == "12 of 12 points"
    assert base64.b64decode(browser.pdf()).startswith(b"%PDF")


def test_the_table_sorts_and_filters(browser, page):
    browser.open(page, 1280)
    heads = browser.run("[...document.querySelectorAll('#table th')].map(h => h.textContent)")
    at = next(i for i, head in enumerate(heads) if head.startswith("cycles"))
    cycles = f"{SHOWN}.map(r => Number(r.cells[{at}].dataset.v))"
    first = browser.run(cycles)
    browser.run(f"document.querySelectorAll('#table th')[{at}].querySelector('button').focus()")
    browser.key("Enter")
    assert browser.run(cycles) == sorted(first, reverse=True) != first
    browser.run("(() => {const f = document.getElementById('filter'); f.value = 'LENET5'; "
                "f.dispatchEvent(new Event('input'))})()")  # fmt: skip
    assert browser.run(f"{SHOWN}.map(r => r.cells[2].textContent)") == ["lenet5"] * 6
    browser.run("(() => {const k = document.getElementById('kind'); k.value = 'front'; "
                "k.dispatchEvent(new Event('change'))})()")  # fmt: skip
    best = browser.run("document.querySelectorAll('svg[data-figure=front-1] .best').length")
    assert browser.run(f"{SHOWN}.length") == best < 6
    assert browser.said == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("mark", [DOT, "svg[data-figure=front-0] .pt:not(.best)", "[data-figure^=tornado] .mark"])
def test_a_mark_says_its_values_inside_the_window(browser, page, width, mark):
    browser.open(page, width)
    browser.point(mark)
    tip = browser.run(TIP)
    assert tip == [False, browser.run(f"document.querySelector({mark!r}).dataset.tip"), True]
    assert tip[1].startswith(("lenet_300_100 on systolic", "array.rows\n", "dataflow.stationary\n"))


@pytest.mark.parametrize("width", [1280, 390])
def test_a_point_opens_and_closes_by_keyboard(browser, page, width):
    browser.open(page, width)
    assert browser.run("document.querySelectorAll('svg[data-figure=front-0] [tabindex=\"0\"]').length") == 1
    browser.run(f"document.querySelector({DOT!r}).focus()")
    browser.key("ArrowRight")
    browser.key("ArrowLeft")
    browser.key("Enter")
    assert browser.run(f"{DIALOG}.open") and browser.run("document.activeElement.textContent") == "Close"
    text = browser.run(f"{DIALOG}.innerText")
    assert "accel-sim run lenet_300_100 systolic --set array.rows=" in text
    for part in ("Cycles by cause", "Energy by component", "dram_read_bytes", "memory_area_um2"):
        assert part in text
    assert browser.run(f"{DIALOG}.scrollWidth <= {DIALOG}.clientWidth")
    browser.key("Enter")
    assert not browser.run(f"{DIALOG}.open")
    assert browser.run(f"document.activeElement === document.querySelector({DOT!r})")
    assert browser.said == []


def test_a_point_opens_by_a_click_in_the_table(browser, page):
    browser.open(page, 1280)
    name = browser.run(f"{SHOWN}[3].querySelector('button').textContent")
    browser.run(f"{SHOWN}[3].querySelector('button').click()")
    assert browser.run(f"{DIALOG}.querySelector('h2').textContent") == f"Point {name}"
