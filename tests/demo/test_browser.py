"""The page in headless Chromium: click, upload, drop, keyboard, phone, dark mode. Skipped without it and selenium."""

import shutil
import sys
import time

import pytest

from skhash.demo import Gallery, Pictures

pytest.importorskip("tornado")
Image = pytest.importorskip("PIL.Image")
webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)

from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

DROP = """
const bytes = Uint8Array.from(atob(arguments[0]), (one) => one.charCodeAt(0)), data = new DataTransfer();
data.items.add(new File([bytes], arguments[1]));
for (const kind of ["dragenter", "dragover", "drop"]) {
  dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
}
"""


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Browser:
    """The page, with the questions of these tests."""

    def __init__(self, driver, client):
        self.driver, self.address = driver, f"http://127.0.0.1:{client.port}/"

    def open(self, query="", width=1280, height=900, dark=False):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get_log("browser")
        self.driver.get("about:blank")
        self.driver.get(self.address + query)
        self.wait("return document.querySelectorAll('.card').length > 0")
        return self

    def script(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def wait(self, code, *arguments):
        """Wait until a script returns what is true, and return it."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if value := self.script(code, *arguments):
                return value
            time.sleep(0.05)
        raise AssertionError(f"{code} is not true; status: {self.text('#status')}")

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.script("return document.querySelector(arguments[0]).textContent", selector)

    def names(self):
        return self.script("return [...document.querySelectorAll('#list .name')].map((one) => one.textContent)")

    def searched(self, name):
        """Wait for the answer to a query, and return the names of its neighbors."""
        self.wait(
            "return document.getElementById('query-name').textContent === arguments[0]"
            " && !document.getElementById('results').hasAttribute('aria-busy')"
            " && document.getElementById('results-title').textContent === 'Nearest pictures'",
            name,
        )
        return self.names()


@pytest.fixture
def browser(driver, client):
    found = Browser(driver, client)
    yield found
    assert [entry["message"] for entry in driver.get_log("browser") if "status of 4" not in entry["message"]] == []


def position(photos, name):
    return Pictures.from_folder(photos).names.index(name)


def test_a_click_searches_and_back_returns(browser, photos):
    browser.open()
    assert len(browser.names()) == 13
    browser.find(f"img[src*='pictures/{position(photos, 'cats/0.png')}?']").click()
    neighbors = browser.searched("cats/0.png")
    gallery = Gallery(Pictures.from_folder(photos), method="dhash")
    expected = gallery.search(position(photos, "cats/0.png"))
    assert neighbors == [one["name"] for one in expected["neighbors"]]
    for place, one in enumerate(expected["neighbors"]):
        card = f"#list > li:nth-child({place + 1})"
        assert browser.text(f"{card} .distance").removesuffix("s") == f"{one['distance']} of 64 bits differ"
        label = browser.script("return document.querySelector(arguments[0]).getAttribute('aria-label')", f"{card} svg")
        pairs = zip(one["code"], expected["query"]["code"], strict=True)
        numbers = [str(number) for number, (ours, theirs) in enumerate(pairs, 1) if ours != theirs]
        assert label.partition("number ")[2] == ", ".join(numbers)
    browser.wait("return [...document.images].every((one) => one.complete && one.naturalWidth > 0)")
    browser.driver.back()
    browser.wait("return document.getElementById('results-title').textContent === 'Pictures by chance'")
    browser.driver.forward()
    assert browser.searched("cats/0.png") == neighbors


def test_an_upload_and_a_drop_are_searched(browser, photos, tmp_path):
    import base64

    path = tmp_path / "<b>mine.png"
    Image.open(photos / "dogs/3.png").resize((300, 225)).save(path)
    browser.open()
    browser.find("#file").send_keys(str(path))
    assert browser.searched("<b>mine.png")[0] == "dogs/3.png"
    assert browser.script("return document.getElementById('query-picture').src").startswith("blob:")
    browser.wait("return document.getElementById('query-picture').naturalWidth === 300")
    browser.script(DROP, base64.b64encode((photos / "cats/4.png").read_bytes()).decode(), "dropped.png")
    assert browser.searched("dropped.png")[0] == "cats/4.png"
    assert not browser.find("#drop").is_displayed()


def test_a_refused_upload_is_explained(browser, photos):
    browser.open()
    browser.find("#file").send_keys(str(photos / "broken.jpg"))
    browser.wait("return document.getElementById('status').textContent.includes('not a picture that is read here')")
    assert browser.find("#status").get_attribute("class") == "error"


def test_settings_change_the_search_and_are_in_the_address(browser, photos):
    row = position(photos, "dogs/1.png")
    browser.open(f"?id={row}&method=dhash&bits=64&k=3")
    assert len(browser.searched("dogs/1.png")) == 3
    browser.script(
        "const m = document.getElementById('method'); m.value = 'phash';"
        "m.dispatchEvent(new Event('change')); const k = document.getElementById('k'); k.value = 5;"
        "k.dispatchEvent(new Event('input'));"
    )
    browser.wait("return location.search.includes('method=phash')")
    expected = Gallery(Pictures.from_folder(photos), method="phash").search(row, n_neighbors=5)
    browser.wait("return document.querySelectorAll('#list > li').length === 5")
    browser.wait("return !document.getElementById('results').hasAttribute('aria-busy')")
    assert browser.names() == [one["name"] for one in expected["neighbors"]]
    nearest = expected["neighbors"][0]["distance"]
    browser.script(
        "const r = document.getElementById('radius'); r.value = arguments[0]; r.dispatchEvent(new Event('input'))",
        nearest - 1,
    )
    browser.wait("return document.getElementById('status').textContent.startsWith('No picture within')")
    assert browser.text("#radius-text") == f"at most {nearest - 1} bits"
    assert f"radius={nearest - 1}" in browser.driver.current_url
    assert browser.names() == []


def test_the_keyboard_suffices(browser):
    browser.open()
    focused = "return document.activeElement.{}"

    def press(key):
        webdriver.ActionChains(browser.driver).send_keys(key).perform()

    press(Keys.TAB)
    assert browser.script(focused.format("className")) == "skip"
    seen = []
    for _ in range(12):
        press(Keys.TAB)
        element = browser.script("return [document.activeElement.id, document.activeElement.className]")
        seen.append(element[0] or element[1])
        if element[1] == "card":
            break
    assert seen[:2] == ["file", "others"]
    assert {"method", "bits", "k", "radius"} < set(seen)
    assert seen[-1] == "card"
    outline = browser.script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    press(Keys.ARROW_RIGHT)
    press(Keys.ARROW_DOWN)
    name = browser.script(focused.format("title"))
    wide = browser.script(
        "const cards = [...document.querySelectorAll('.card')];"
        "return cards.filter((one) => one.offsetTop === cards[0].offsetTop).length"
    )
    assert browser.names().index(name) == 1 + wide
    press(Keys.ENTER)
    browser.searched(name)
    assert browser.script(focused.format("id")) == "query-title"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_and_is_readable(browser, photos, width, dark):
    browser.open(f"?id={position(photos, 'cats/0.png')}&k=12", width=width, dark=dark)
    browser.searched("cats/0.png")
    hidden = "const { scrollWidth, clientWidth } = document.documentElement; return scrollWidth - clientWidth"
    assert browser.script(hidden) == 0
    assert browser.script("return innerWidth") == width
    small = browser.script(
        """return [...document.querySelectorAll("button, select, input[type=number], .button")].filter((one) => {
          const { width, height } = one.getBoundingClientRect();
          return one.checkVisibility() && (width < 44 || height < 44);
        }).map((one) => one.outerHTML)"""
    )
    assert small == []
    unlabeled = browser.script(
        """return [...document.querySelectorAll("input, select")].filter((one) => !one.labels.length)
          .concat([...document.querySelectorAll("img:not([alt]), svg:not([aria-label])")]).length"""
    )
    assert unlabeled == 0
    assert contrasts(browser) == []
    page = browser.script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, page[4:-1].split(","))) < 200) == dark


def contrasts(browser):
    """Return the texts whose contrast with their background is below 4.5, the limit of WCAG's level AA."""
    return browser.script(
        """
        const read = (color) => color.match(/[0-9.]+/g).map(Number);
        const light = (color) => {
          const [r, g, b] = read(color).map((one) => one / 255)
            .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const found = [];
        for (const one of document.querySelectorAll("h1, h2, h3, p, li, label, button, .button, select, summary")) {
          if (!one.checkVisibility() || !one.textContent.trim() || one.className === "skip") continue;
          let back = one;
          while (back && (read(getComputedStyle(back).backgroundColor)[3] ?? 1) === 0) back = back.parentElement;
          const a = light(getComputedStyle(one).color);
          const b = light(getComputedStyle(back || document.body).backgroundColor);
          const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          if (ratio < 4.5) found.push(`${one.tagName} ${one.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
        }
        return found;
        """
    )


def test_nothing_is_asked_of_other_machines(browser, photos):
    import json

    browser.driver.get_log("performance")
    browser.open(f"?id={position(photos, 'cats/0.png')}")
    browser.searched("cats/0.png")
    events = [json.loads(entry["message"])["message"] for entry in browser.driver.get_log("performance")]
    asked = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    assert any("/api/search" in url for url in asked)
    assert [url for url in asked if not url.startswith((browser.address, "about:", "data:"))] == []


@pytest.mark.skipif(sys.platform == "win32", reason="such names are not possible")
def test_names_do_not_become_elements(driver, tmp_path, serve):
    name = '<img src=x onerror="document.title=1">.png'
    Image.new("L", (30, 30), 7).save(tmp_path / name)
    Image.linear_gradient("L").save(tmp_path / "a&amp;b.png")
    gallery = Gallery(Pictures.from_folder(tmp_path), method="dhash")
    gallery.prepare()
    browser = Browser(driver, serve(gallery)).open()
    assert set(browser.names()) == {name, "a&amp;b.png"}
    browser.find("img[src*='pictures/0?']").click()
    assert browser.searched(name) == ["a&amp;b.png"]
    assert "skhash" in browser.driver.title
    assert browser.script("return document.querySelectorAll('img[onerror], img[src=x]').length") == 0
