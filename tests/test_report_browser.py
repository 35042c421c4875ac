"""The report in a real browser: desk and phone, light and dark, English and Chinese."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from chromium import Chromium, View, find_chromium
from report_pages import LANGUAGES, empty_page, rich_page

VIEWS = [
    View(width, height, scheme)
    for width, height in ((1280, 900), (390, 844), (320, 640))
    for scheme in ("light", "dark")
]
SECTIONS = (
    "tonight",
    "customers",
    "limits",
    "learning",
    "left_out",
    "segments",
    "warnings",
    "trust",
)

TEXTS = """
const texts = [...document.body.querySelectorAll('*')].filter(one =>
  one.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}) && !one.closest('thead')
  && [...one.childNodes].some(child => child.nodeType === 3 && child.data.trim()));
"""
"""Visible elements with a text of their own; headers that phones hide are looked at apart."""

SPILLED = f"""(() => {{ {TEXTS}
  return texts.filter(one => {{
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    const cut = style.display !== 'inline' && one.scrollWidth > one.clientWidth + 1;
    return (cut && one.clientWidth > 0 && !one.matches('.track b'))
      || box.right > innerWidth + 1 || box.left < -1;
  }}).map(one => one.className + ': ' + one.textContent.slice(0, 60)); }})()"""

OVERLAPPING = """(() => {
  const boxes = [...document.querySelectorAll('.rows td, .rows th, .cards td, .cards th, .figure')]
    .filter(one => one.checkVisibility() && !one.closest('thead'));
  const found = [];
  for (const row of new Set(boxes.map(one => one.parentElement))) {
    const mine = boxes.filter(one => one.parentElement === row)
      .map(one => [one, one.getBoundingClientRect()]);
    for (const [one, a] of mine) for (const [two, b] of mine)
      if (one !== two && Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
          && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
        found.push(one.textContent.slice(0, 30) + ' | ' + two.textContent.slice(0, 30));
  }
  return found; })()"""

# WCAG 2.1: relative luminance, and 4.5 to 1, or 3 to 1 for large text.
FAINT = f"""(() => {{ {TEXTS}
  const parts = colour => {{
    const numbers = colour.match(/[\\d.]+/g).map(Number);
    const scale = colour.startsWith('color(') ? 1 : 255;
    return [...numbers.slice(0, 3).map(n => n / scale), numbers.length > 3 ? numbers[3] : 1];
  }};
  const light = rgb => rgb.slice(0, 3).map(c => c <= 0.04045 ? c / 12.92
    : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = one => {{
    for (let at = one; at; at = at.parentElement) {{
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) return colour;
    }}
    return [1, 1, 1, 1];
  }};
  return texts.map(one => {{
    const style = getComputedStyle(one), size = parseFloat(style.fontSize);
    const a = light(parts(style.color)), b = light(ground(one));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    return [ratio, large ? 3 : 4.5, one.textContent.slice(0, 40)];
  }}).filter(([ratio, least]) => !(ratio >= least)); }})()"""

UNNAMED = """[
  ...[...document.querySelectorAll('th:not([scope])')].map(one => 'th ' + one.textContent),
  ...[...document.querySelectorAll('[role=img]:not([aria-label])')].map(one => one.className),
  ...[...document.querySelectorAll('section:not([aria-labelledby])')].map(one => one.id),
  ...[...document.querySelectorAll('[aria-labelledby]')]
    .filter(one => !document.getElementById(one.getAttribute('aria-labelledby')))
    .map(one => one.id)]"""

HEADINGS = "[...document.querySelectorAll('h1, h2, h3')].map(one => Number(one.tagName[1]))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium(find_chromium()) as found:
        yield found


@pytest.fixture(scope="module", params=LANGUAGES)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file: Path = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    file.write_bytes(rich_page(request.param))
    return file


@pytest.mark.parametrize("view", VIEWS, ids=lambda one: f"{one.width}-{one.scheme}")
def test_the_page_fits_and_reads_well(browser: Chromium, page: Path, view: View) -> None:
    browser.open(page, view)
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")
    assert browser.ask("innerWidth") == view.width
    assert browser.ask(SPILLED) == []
    assert browser.ask(OVERLAPPING) == []
    assert browser.ask(FAINT) == []
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]


def test_the_page_has_its_parts_and_names_them(browser: Chromium, page: Path) -> None:
    browser.open(page, VIEWS[0])
    found = browser.ask("[...document.querySelectorAll('section')].map(one => one.id)")
    assert tuple(found) == SECTIONS
    assert browser.ask(UNNAMED) == []
    levels = browser.ask(HEADINGS)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert browser.ask("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[page.stem]


def test_a_night_of_nobody_is_a_page_too(browser: Chromium, tmp_path: Path) -> None:
    file = tmp_path / "empty.html"
    file.write_bytes(empty_page())
    browser.open(file, View(390, 844))
    assert browser.ask("innerWidth") == 390
    assert browser.ask(SPILLED) == []
    assert browser.ask(UNNAMED) == []
    assert browser.complaints() == []
    assert "Nobody is listed tonight." in browser.ask("document.body.innerText")


def test_details_open_without_spilling(browser: Chromium, page: Path) -> None:
    browser.open(page, replace(VIEWS[0], width=390, height=844))
    assert browser.ask("document.querySelectorAll('details').forEach(d => d.open = true)") is None
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")
    assert browser.ask(SPILLED) == []


def test_it_prints_dark_on_white_without_its_menu(browser: Chromium, page: Path) -> None:
    browser.open(page, View(794, 1123, "dark"), medium="print")
    assert browser.ask("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.ask(FAINT) == []


def test_the_checks_see_what_they_look_for(browser: Chromium, tmp_path: Path) -> None:
    file = tmp_path / "bad.html"
    file.write_text(
        "<!doctype html><meta charset=utf-8><body><p style='color:#999'>faint</p>"
        "<div style='width:60px'><p>averyveryverylongword</p></div><th>a</th>"
        "<div style='width:2000px'>wide</div><img src='http://example.com/a.png'>"
        "<table><tr><th>a</th></tr></table><script>console.warn('careful')</script>"
    )
    browser.open(file, VIEWS[0])
    assert not browser.ask("document.documentElement.scrollWidth <= innerWidth")
    assert [text for *_, text in browser.ask(FAINT)] == ["faint"]
    assert any("averyvery" in text for text in browser.ask(SPILLED))
    assert browser.ask(UNNAMED) == ["th a"]
    assert "http://example.com/a.png" in browser.requests()
    assert any("careful" in text for text in browser.complaints())
