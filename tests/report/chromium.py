"""A Chromium without a window, and what tests ask of a page in it: contrast, keyboard, requests, errors."""

import json
import shutil
from pathlib import Path

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian packages)"
)
WIDTHS_PX = (400, 1280)

# Ratio and threshold as in WCAG 2.2, 1.4.3: 4.5, or 3 for text of 24 px, or of 18.66 px in bold. Backgrounds are
# layered as they are painted, up to one that hides what is below.
LOW_CONTRAST = """
const colour = (text) => {
  const found = text.match(/[\\d.]+/g).map(Number);
  return {rgb: found.slice(0, 3), alpha: found.length > 3 ? found[3] : 1};
};
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const over = (top, below) => top.rgb.map((v, i) => top.alpha * v + (1 - top.alpha) * below[i]);
const background = (element) => {
  if (!element) return [255, 255, 255];
  const own = colour(getComputedStyle(element).backgroundColor);
  return own.alpha === 1 ? own.rgb : over(own, background(element.parentElement));
};
const walker = document.createTreeWalker(document.querySelector(arguments[0]), NodeFilter.SHOW_TEXT);
const found = [];
let seen = 0;
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
  if (!text || element.closest('style, script, noscript') || !element.checkVisibility()) continue;
  seen += 1;
  const style = getComputedStyle(element), below = background(element);
  const light = [luminance(over(colour(style.color), below)), luminance(below)].sort((a, b) => b - a);
  const ratio = (light[0] + 0.05) / (light[1] + 0.05), size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (isLarge ? 3 : 4.5)) found.push([text.slice(0, 40), style.color, ratio.toFixed(2)]);
}
return [seen, found];
"""
REACHABLE = """
const wanted = 'a[href], summary, button, input, select, [tabindex="0"]';
return [...document.querySelector(arguments[0]).querySelectorAll(wanted)].filter((one) => one.checkVisibility());
"""
FOCUSED = """
const one = document.activeElement, style = getComputedStyle(one);
return [one, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];
"""


def open_chromium(downloads: Path | None = None):
    """A new browser, whose downloads go to a folder."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=Service(DRIVER), options=options)
    if downloads:
        allowed = {"behavior": "allow", "downloadPath": str(downloads)}
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
    return driver


def resize(driver, width, height=900):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def wait_until(driver, script, *arguments):
    """Wait until JavaScript gives true."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 60).until(lambda d: d.execute_script(f"return {script}", *arguments))


def low_contrast(driver, root="body"):
    """Texts under `root` that are too pale to read by WCAG AA."""
    seen, found = driver.execute_script(LOW_CONTRAST, root)
    assert seen, f"no text in {root}"
    return found


def out_of_reach(driver, root="body"):
    """What the tabulator key never comes to although it can be pressed, and what shows no outline when it is there."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    wanted = driver.execute_script(REACHABLE, root)
    assert wanted, f"nothing to reach in {root}"
    driver.execute_script("document.activeElement.blur(); window.getSelection().removeAllRanges()")
    reached, plain = [], set()
    for _ in range(len(driver.execute_script(REACHABLE, "body")) + 10):
        ActionChains(driver, duration=0).send_keys(Keys.TAB).perform()
        element, has_outline = driver.execute_script(FOCUSED)
        reached.append(element)
        if element in wanted and not has_outline:
            plain.add(element.tag_name)
    return [one.get_attribute("outerHTML")[:80] for one in wanted if one not in reached], sorted(plain)


def overflow(driver):
    """By how many pixels the page is wider than the window."""
    return driver.execute_script("return document.documentElement.scrollWidth - innerWidth")


def unlabelled(driver, root="body"):
    """Pictures without a text alternative or without pixels."""
    script = (
        "return [...document.querySelector(arguments[0]).querySelectorAll('img')].map((i) => [i.alt, i.naturalWidth])"
    )
    return [(alt, width) for alt, width in driver.execute_script(script, root) if not (alt.strip() and width)]


def complaints(driver):
    """Errors in the console, and addresses asked for outside this machine, since the last call."""
    errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return errors + [url[:80] for url in urls if not url.startswith(("file:", "data:", "blob:"))]
