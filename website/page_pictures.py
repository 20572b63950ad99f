"""Write the pictures of `pivot ui` in the guide: `python website/page_pictures.py LINK`, with the link that it prints.

The README of the website describes the project that they show.
"""

import io
import pathlib
import shutil
import sys

import PIL.Image
from playwright.sync_api import sync_playwright

IMAGES = pathlib.Path(__file__).parents[1] / "docs/images"
PICTURES = {"ui-graph.png": ("#/stage/churn.evaluate", ".diff"), "ui-results.png": ("#/results", ".parallel .axis")}
"""Of each picture: the place in the page, and the element that appears there last."""
SIZE = (1400, 900)
COLOURS = 96


def write_pictures(link: str) -> None:
    """Open each place in Chromium, and write its picture with few colours."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, reduced_motion="reduce")
        page.goto(link)
        page.wait_for_selector(".node-stage")
        for name, (place, last) in PICTURES.items():
            page.evaluate("place => { location.hash = place }", place)
            page.wait_for_selector(last)
            picture = PIL.Image.open(io.BytesIO(page.screenshot()))
            picture.convert("RGB").quantize(COLOURS).save(IMAGES / name, optimize=True)
        browser.close()


if __name__ == "__main__":
    write_pictures(sys.argv[1])
