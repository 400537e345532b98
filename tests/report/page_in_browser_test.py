"""The page in a real, headless Chromium, without network."""

import dataclasses
import time

import fetch_chromium
import numpy as np
import pytest
from playwright import sync_api

from ss_tf.evaluation import metrics, run_comparison
from ss_tf.evaluation.accuracy import Decisions
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.report import compare_page, page

# One by one pixel.
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63"
    "680000008200817742d0f20000000049454e44ae426082"
)
_READY = "#matrix[data-ready]"
# Where the middle of a cell is, in pixels of the window.
_CELL = """([row, column]) => {
  const plot = document.getElementById("matrix");
  const { xaxis, yaxis } = plot._fullLayout;
  const { left, top } = plot.getBoundingClientRect();
  return [left + xaxis._offset + xaxis.l2p(column), top + yaxis._offset + yaxis.l2p(row)];
}"""
# Row and column of each cell that has a colour.
_FILLED = """document.getElementById("matrix").data[0].z.flatMap((row, place) =>
  Array.from(row, (value, column) => [place, column, value])
    .filter(([, , value]) => !Number.isNaN(value)).map((cell) => cell.slice(0, 2)))"""


@pytest.fixture(scope="module")
def browser():
    """A Chromium, started once."""
    found = fetch_chromium.find()
    if found is None:
        pytest.skip("needs Chromium: install it, or run python tools/fetch_chromium.py")
    path, environment = found
    with sync_api.sync_playwright() as playwright:
        # Its sandbox needs rights that a container has not; the page is our own.
        browser = playwright.chromium.launch(
            executable_path=path, env=environment, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def show(browser):
    """Returns a function that opens a page; every message, error and request fails the test."""
    troubles, contexts = [], []

    def show(path, **options):
        desktop = {"viewport": {"width": 1280, "height": 1000}}
        context = browser.new_context(offline=True, **desktop | options)
        contexts.append(context)
        shown = context.new_page()
        shown.on("console", lambda message: troubles.append(message.text))
        shown.on("pageerror", lambda error: troubles.append(str(error)))
        shown.on("request", lambda request: requests.append(request.url))
        requests = []
        shown.goto(path.as_uri())
        outside = [url for url in requests if not url.startswith(("file:", "data:", "blob:"))]
        assert not outside
        return shown

    yield show
    for context in contexts:
        context.close()
    assert not troubles


@pytest.fixture
def report(tmp_path, page_results, page_decisions, page_keys, page_map):
    """The page of the small report; image 4 has no thumbnail."""
    path = tmp_path / "index.html"
    page.write(
        path,
        page_results,
        decisions=page_decisions,
        keys=page_keys,
        superclass_map=page_map,
        thumbnails={index: _PNG for index in range(24) if index != 4},
    )
    return path


def _opened(show, path, **options):
    shown = show(path, **options)
    shown.wait_for_selector(_READY)
    return shown


def _choose(shown, **controls):
    for name, value in controls.items():
        shown.select_option(f"#{name}", value)


def _counts(decisions, system, superclass_map):
    """Returns the confusion of labels, sorted by superclass: int64 `[6, 6]`."""
    order = np.argsort(superclass_map.superclass_of_label, kind="stable")
    counts = metrics.confusion(decisions.labels[system], decisions.true, num_classes=6)
    return counts[np.ix_(order, order)]


def _point(shown, row, column):
    """Returns where to find a cell on the screen, having scrolled to it."""
    shown.evaluate("document.getElementById('matrix').scrollIntoView()")
    return shown.evaluate(_CELL, [row, column])


def _items(shown):
    return shown.locator("#gallery li").count()


def test_a_click_on_a_cell_shows_as_many_images_as_it_counts(
    show, report, page_decisions, page_map
):
    shown = _opened(show, report)
    for system in ("flat", "hard"):
        _choose(shown, system=system, level="label")
        counts = _counts(page_decisions, system, page_map)
        np.fill_diagonal(counts, 0)
        cells = np.argwhere(counts).tolist()
        assert shown.evaluate(_FILLED) == cells
        for row, column in cells:
            shown.mouse.click(*_point(shown, row, column))
            title = f": {counts[row, column]} image"
            sync_api.expect(shown.locator("#gallery-title")).to_contain_text(title)
            assert _items(shown) == counts[row, column]


def test_a_click_between_superclasses_shows_their_images(show, report):
    shown = _opened(show, report)
    _choose(shown, system="hard", level="superclass")
    # bird -> boat is wren -> canoe, boat -> car ferry -> taxi: one image each.
    assert shown.evaluate(_FILLED) == [[0, 1], [1, 2]]
    shown.mouse.click(*_point(shown, 0, 1))
    sync_api.expect(shown.locator("#gallery-title")).to_have_text("bird, taken for boat: 1 image")
    sync_api.expect(shown.locator("#gallery .names")).to_have_text("wren → canoe")
    # Image 2 of 24: 0.5 + 2 / 23 * 0.48 = 0.5417, and half of it.
    item = shown.locator("#gallery li")
    sync_api.expect(item).to_contain_text("superclass 54.2 %")
    sync_api.expect(item).to_contain_text("subclass 27.1 %")
    assert item.locator("img").get_attribute("alt") == "validation/02.png"


def test_100_percent_is_kept_for_what_is_certain(
    show, tmp_path, page_results, page_decisions, page_keys, page_map
):
    # Of wren -> owl, images 0 and 1.
    sure = page_decisions.probabilities["hard"].copy()
    sure[:2] = [[1.0, 0.996], [0.9996, 0.5]]
    decisions = dataclasses.replace(page_decisions, probabilities={"hard": sure})
    path = tmp_path / "index.html"
    page.write(path, page_results, decisions=decisions, keys=page_keys, superclass_map=page_map)
    shown = _opened(show, path)
    _choose(shown, system="hard", level="label")
    told = shown.locator("#gallery li").all_inner_texts()
    assert [text.split("\n")[1:] for text in told] == [
        ["superclass 100 %", "subclass 99.6 %"],
        ["superclass 100 %", "subclass 50.0 %"],
    ]


def test_the_diagonal_of_superclasses_shows_wrong_subclasses(show, report):
    shown = _opened(show, report)
    _choose(shown, system="hard")
    shown.check("#diagonal")
    assert shown.evaluate(_FILLED) == [[0, 0], [0, 1], [1, 1], [1, 2], [2, 2]]
    shown.mouse.click(*_point(shown, 0, 0))
    # 12 birds, one of them taken for a boat; wren -> owl twice, gull -> wren once.
    title = "bird, with the right superclass: 11 images"
    sync_api.expect(shown.locator("#gallery-title")).to_have_text(title)
    sync_api.expect(shown.locator("#gallery-told")).to_contain_text("3 images with a wrong subcl")
    assert _items(shown) == 3


def test_one_superclass_can_be_shown_alone(show, report, page_decisions, page_map):
    shown = _opened(show, report)
    assert not shown.is_visible("#within")
    _choose(shown, system="hard", level="label", within="0")
    expected = _counts(page_decisions, "hard", page_map)[:3, :3] * (1 - np.eye(3))
    assert shown.evaluate(_FILLED) == np.argwhere(expected).tolist()


def test_everything_can_be_done_by_keyboard(show, report):
    shown = _opened(show, report)
    _choose(shown, system="hard", level="label", true="0", decided="2")
    assert _items(shown) == 2
    button = shown.locator("#pairs button").nth(1)
    assert button.get_attribute("aria-label") == "Images of wren taken for canoe"
    button.focus()
    shown.keyboard.press("Enter")
    assert _items(shown) == 1
    assert shown.evaluate("document.activeElement.id") == "gallery-title"
    assert shown.locator("#true").input_value() == "0"
    assert shown.locator("#decided").input_value() == "1"
    shown.evaluate("document.activeElement.blur()")
    focused = set()
    for _ in range(60):
        shown.keyboard.press("Tab")
        focused.add(shown.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"theme", "system", "level", "within", "diagonal", "true", "decided"} <= focused


def test_an_image_without_thumbnail_is_shown_by_name(show, report):
    shown = _opened(show, report)
    # canoe -> ferry is image 4.
    _choose(shown, system="hard", level="label", true="1", decided="4")
    sync_api.expect(shown.locator("#gallery .placeholder")).to_have_text("validation/04.png")
    sync_api.expect(shown.locator("#gallery-told")).to_contain_text("no room for more")


def test_headers_sort_by_click_and_by_key(show, report):
    shown = _opened(show, report)
    names = "#superclass-table tbody th"
    header = shown.locator("#superclass-table thead th").nth(2)
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    assert shown.locator(names).all_inner_texts() == ["bird", "boat", "car"]  # 12, 8, 4 images.
    header.locator("button").focus()
    shown.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    assert shown.locator(names).all_inner_texts() == ["car", "boat", "bird"]
    shown.locator("#superclass-table thead button").first.click()
    assert shown.locator(names).all_inner_texts() == ["bird", "boat", "car"]
    assert header.get_attribute("aria-sort") is None


def test_colours_follow_the_device_and_the_switch(show, report):
    background = "getComputedStyle(document.body).backgroundColor"
    shown = _opened(show, report, color_scheme="dark")
    dark = shown.evaluate(background)
    assert shown.inner_text("#theme") == "Light"
    shown.click("#theme")
    light = shown.evaluate(background)
    assert light == "rgb(255, 255, 255)" != dark
    assert _opened(show, report, color_scheme="light").evaluate(background) == light


@pytest.mark.parametrize("level", ["superclass", "label"])
def test_a_narrow_phone_needs_no_sideways_scrolling(show, report, level):
    phone = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    shown = _opened(show, report, **phone)
    _choose(shown, level=level)
    shown.locator("#pairs button").first.click()
    assert shown.evaluate("document.documentElement.scrollWidth") == 360
    assert _items(shown) > 0


def test_two_runs_can_be_compared_on_a_phone(show, predictions, tmp_path):
    path = tmp_path / "compared.html"
    compared = run_comparison.compare(predictions, predictions)
    compare_page.write(path, compared, a="one", b="other")
    shown = show(path, viewport={"width": 360, "height": 740})
    assert shown.inner_text("h1") == "No clear difference between one and other"
    assert shown.locator(".card").count() == 6
    assert shown.evaluate("document.documentElement.scrollWidth") == 360
    shown.locator("#metric-table thead button").nth(1).click()
    cells = shown.locator("#metric-table tbody td:nth-child(2)")
    values = [
        float(value)
        for value in cells.evaluate_all("(cells) => cells.map((cell) => cell.dataset.value)")
    ]
    known = [row["a"] for row in compared["rows"] if not isinstance(row["a"], str)]
    assert values == sorted(known, reverse=True)


def test_hostile_names_do_nothing(show, tmp_path, page_results, page_decisions, page_keys):
    hostile = '</script><img src=x onerror="window.hacked=1"><b>$x$</b>&amp;'
    hostile_map = SuperclassMap(
        superclass_names=("bird", "b<oat>", "car"),
        label_names=("wren", "canoe", hostile, "taxi", "ferry", "gull"),
        superclass_of_label=(0, 1, 0, 2, 1, 0),
    )
    path = tmp_path / "index.html"
    keys = [f"{hostile}{key}" for key in page_keys]
    page.write(path, page_results, decisions=page_decisions, keys=keys, superclass_map=hostile_map)
    shown = _opened(show, path)
    _choose(shown, system="hard", level="label", true="0", decided="2")
    title = f"wren, taken for {hostile}: 2 images"
    sync_api.expect(shown.locator("#gallery-title")).to_have_text(title)
    shown.mouse.move(*_point(shown, 0, 1))
    sync_api.expect(shown.locator("#tooltip b")).to_have_text(f"wren → {hostile}")
    ticks = shown.locator("#matrix .ytick").all_text_contents()
    assert ticks[1] == hostile[:15] + "…"
    assert shown.evaluate("window.hacked") is None


def _thousand_classes():
    """Returns a map of 1000 classes, and decisions of which a quarter is wrong."""
    groups = {f"group {g}": [f"{g}/{c}" for c in range(50)] for g in range(20)}
    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(1000), 50)
    decided = np.where(rng.random(len(true)) < 0.25, rng.integers(0, 1000, len(true)), true)
    decisions = Decisions(true=true, stage1={}, labels={"flat": decided})
    return SuperclassMap.from_groups(groups), decisions


def test_a_thousand_classes_can_be_looked_at(show, tmp_path, page_results, capsys):
    superclass_map, decisions = _thousand_classes()
    path = tmp_path / "index.html"
    keys = [f"{index}.JPEG" for index in range(len(decisions.true))]
    page.write(path, page_results, decisions=decisions, keys=keys, superclass_map=superclass_map)
    began = time.monotonic()
    shown = _opened(show, path)
    opened = time.monotonic()
    _choose(shown, level="label")
    shown.wait_for_function("document.getElementById('matrix').data[0].z.length === 1000")
    shown.evaluate("new Promise(requestAnimationFrame)")
    drawn = time.monotonic()
    counts = metrics.confusion(decisions.labels["flat"], decisions.true, num_classes=1000)
    np.fill_diagonal(counts, 0)
    assert shown.evaluate(_FILLED) == np.argwhere(counts).tolist()
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    _choose(shown, true=str(row), decided=str(column))
    assert _items(shown) == counts.max()
    with capsys.disabled():
        print(f"\n1000 classes: {opened - began:.1f} s to open, {drawn - opened:.1f} s to draw")
