"""The report in a real headless Chromium: no errors, no network, sorting, filtering, values on hover and focus."""

import base64
import shutil

import pytest

from .calls import call
from .chromium import NEEDED, WINDOWS

pytestmark = NEEDED

LAYERS = "[...document.querySelectorAll('#table tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].textContent)"
COLUMN = "[...document.querySelectorAll('#table tbody tr')].map(r => Number(r.cells[4].dataset.v))"
TIP = """(() => {
  const t = document.getElementById('tip'), b = t.getBoundingClientRect();
  return [t.hidden, t.textContent, b.left >= 0 && b.right <= innerWidth && b.top >= 0 && b.bottom <= innerHeight]
})()"""
HEAD = "document.querySelectorAll('#table th')[4]"


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    folder = shutil.copytree(runs["squeezenet1_0", "eie"], tmp_path_factory.mktemp("report") / "r")
    assert call("report", folder).code == 0
    return folder / "report.html"


@WINDOWS
def test_it_loads_without_errors_and_is_no_wider_than_the_window(browser, page, width, dark):
    browser.open(page, width, dark=dark)
    assert browser.said == []
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('section').length") == 9
    ink, paper = browser.run("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    light = [sum(map(int, colour.strip("rgb()").split(","))) for colour in (ink, paper)]
    assert (light[0] > light[1]) == dark
    assert base64.b64decode(browser.shot()).startswith(b"\x89PNG")


def test_the_table_sorts_by_click_and_by_key(browser, page):
    browser.open(page, 1280)
    first = browser.run(COLUMN)
    browser.run(f"{HEAD}.querySelector('button').click()")
    assert browser.run(COLUMN) == sorted(first, reverse=True)
    assert browser.run(f"{HEAD}.getAttribute('aria-sort')") == "descending"
    browser.run(f"{HEAD}.querySelector('button').focus()")
    browser.key("Enter")
    assert browser.run(COLUMN) == sorted(first)
    assert "ascending" in browser.run("document.getElementById('said').textContent")
    assert browser.said == []


def test_the_table_filters_by_name_and_kind(browser, page):
    browser.open(page, 1280)
    browser.run("(() => {const f = document.getElementById('filter'); f.value = 'FIRE2'; "
                "f.dispatchEvent(new Event('input'))})()")  # fmt: skip
    assert browser.run(LAYERS) == ["fire2/squeeze1x1", "fire2/expand1x1", "fire2/expand3x3", "fire2/concat"]
    browser.run("(() => {const k = document.getElementById('kind'); k.value = 'concat'; "
                "k.dispatchEvent(new Event('change'))})()")  # fmt: skip
    assert browser.run(LAYERS) == ["fire2/concat"]
    assert browser.run("document.getElementById('count').textContent").startswith("1 of ")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("figure", ["cycles", "shares", "energy", "chip", "roofline", "heat"])
def test_a_mark_says_its_values_inside_the_window(browser, page, width, figure):
    browser.open(page, width)
    mark = f"svg[data-figure={figure}] .mark"
    browser.point(mark)
    tip = browser.run(TIP)
    assert tip == [False, browser.run(f"document.querySelector('{mark}').dataset.tip"), True]
    assert tip[1].startswith("conv1")


def test_a_figure_is_one_tab_stop_and_arrows_move_inside_it(browser, page):
    browser.open(page, 1280)
    stops = "document.querySelectorAll('svg[data-figure=cycles] .mark[tabindex=\"0\"]').length"
    assert browser.run(stops) == 1
    browser.run("document.querySelector('svg[data-figure=cycles] .mark').focus()")
    browser.key("ArrowRight")
    assert browser.run("document.activeElement.getAttribute('aria-label')").startswith("pool1: ")
    assert browser.run("document.getElementById('tip').textContent").startswith("pool1: ")
    browser.key("End")
    assert browser.run("document.activeElement.getAttribute('aria-label')").startswith("pool10: ")
    assert browser.run(stops) == 1


def test_it_prints(browser, page):
    browser.open(page, 1280)
    pdf = base64.b64decode(browser.pdf())
    assert pdf.startswith(b"%PDF") and browser.said == []
