"""The report in a real browser: desktop, phone, print, keyboard."""

import re

import pytest
from playwright.sync_api import expect

DESKTOP, PHONE = 1280, 390
FIRST = "figure.comparison >> nth=0"


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_it_loads_without_a_complaint_or_a_request(opened, study, width):
    page = opened(width)
    page.wait_for_load_state("networkidle")
    assert page.complaints == []
    assert {url for url in page.asked if not url.startswith("data:")} == {
        (study / "report.html").as_uri()
    }


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_it_is_as_wide_as_the_screen_and_no_wider(opened, width):
    page = opened(width)
    for summary in page.locator("summary").all():
        summary.click()
    expect(page.locator("details[data-page]").last.locator("dl").first).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_verdict_is_on_the_first_screen(opened):
    page = opened(DESKTOP, 900)
    for text in ("Did the scanner's signature go?", "Beware", "Cannot be answered"):
        box = page.get_by_role("heading", name=text, exact=True).bounding_box()
        assert box["y"] + box["height"] < 900


def test_every_picture_is_drawn(opened):
    page = opened(DESKTOP)
    sizes = page.eval_on_selector_all("img", "all => all.map(i => [i.naturalWidth, i.complete])")
    assert len(sizes) > 30
    assert all(width > 0 and complete for width, complete in sizes)


def test_the_divider_moves_by_keyboard(opened):
    page = opened(DESKTOP)
    slider = page.locator(f"{FIRST} >> input[type=range]")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert slider.input_value() == "60"
    assert slider.get_attribute("aria-valuetext") == "60% as scanned"
    after = page.locator(f"{FIRST} >> .view.shown .after")
    assert "60%" in after.evaluate("image => getComputedStyle(image).clipPath")
    page.keyboard.press("Home")
    assert slider.input_value() == "0"


def test_the_divider_follows_the_pointer(opened):
    page = opened(DESKTOP)
    stage = page.locator(f"{FIRST} >> .stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 20)
    page.mouse.up()
    assert 24 <= int(page.locator(f"{FIRST} >> input[type=range]").input_value()) <= 26


def test_window_presets_change_the_picture_by_keyboard(opened):
    page = opened(DESKTOP)
    seen = set()
    for name in ("lung", "soft tissue", "bone"):
        button = page.locator(FIRST).get_by_role("button", name=name)
        button.focus()
        page.keyboard.press("Enter")
        assert button.get_attribute("aria-pressed") == "true"
        shown = page.locator(f"{FIRST} >> .view.shown .before")
        assert shown.count() == 1 and shown.is_visible()
        seen.add(shown.get_attribute("src"))
    assert len(seen) == 3
    page.locator(FIRST).get_by_role("button", name="change map").click()
    assert page.locator(f"{FIRST} >> .view.change img").is_visible()
    assert page.locator(f"{FIRST} >> input[type=range]").is_disabled()


def test_controls_and_regions_have_names(opened):
    page = opened(DESKTOP)
    nameless = page.eval_on_selector_all(
        "button, input, a[href], [role=region], [role=group]",
        """all => all.filter(e => !(e.getAttribute("aria-label") || e.textContent.trim()
        || (e.labels && e.labels.length) || e.getAttribute("aria-labelledby")))
        .map(e => e.outerHTML.slice(0, 80))""",
    )
    assert nameless == []
    skip = page.locator("a.skip")
    page.keyboard.press("Tab")
    assert skip.evaluate("link => link === document.activeElement")


def test_tables_sort_and_search(opened):
    page = opened(DESKTOP)
    table = page.locator("div.table", has=page.get_by_role("heading", name="Scans", exact=True))
    search = table.get_by_role("searchbox")
    search.fill("summit-03")
    rows = table.locator("tbody tr:visible")
    assert rows.count() == 1 and "summit-03" in rows.first.inner_text()
    search.fill("")
    sort = table.get_by_role("button", name="Sort by noise SD (HU)")
    sort.click()
    values = [float(t) for t in table.locator("tbody tr td:nth-child(12)").all_inner_texts()]
    assert len(values) == 15 and values == sorted(values)
    sort.click()
    heading = table.locator("th[aria-sort]")
    assert heading.get_attribute("aria-sort") == "descending"


def test_a_scans_page_is_built_when_it_is_opened(opened):
    page = opened(PHONE)
    first = page.locator("details[data-page]").first
    assert first.locator("dl").count() == 0
    first.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(first.locator("dl").nth(2)).to_be_attached()
    assert first.get_by_role("heading", name="Quality").is_visible()
    assert first.locator("img").count() == 3


def test_it_prints_every_row_and_both_sides_of_a_slice(opened):
    page = opened(DESKTOP)
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 5
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open]):visible").count() == 0
    assert not page.locator("nav").is_visible()
    after = page.locator(f"{FIRST} >> .view.shown .after")
    assert after.evaluate("image => getComputedStyle(image).clipPath") == "none"


def test_without_scripts_everything_can_still_be_read(browser, study):
    page = browser.new_page(java_script_enabled=False)
    page.goto((study / "report.html").as_uri())
    assert page.locator(f"{FIRST} >> .view.shown .before").is_visible()
    assert page.locator(f"{FIRST} >> .view.shown .after").is_visible()
    assert not page.locator(f"{FIRST} >> input[type=range]").is_visible()
    page.close()
