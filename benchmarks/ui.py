"""How evenly the graph of `pivot ui` moves with many stages, in Chromium without a graphics card.

`python benchmarks/ui.py [--stages N] [--moves N]`. Half of the stages read what the other half write; all groups are
expanded, and artifacts are shown, so that there are about two nodes for each stage. The mouse drags the graph and
turns its wheel, first with all of it in the window, then where names can be read; meanwhile, the page notes the time
between its frames. It prints the median and the 95th percentile of these times, and of the time until the expanded
graph is shown, as ratios to a frame of a screen (16.7 ms). Frames are even if both are 1.0, the budget.
"""

import argparse
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from _processes import DISK, PIVOT
from playwright.sync_api import sync_playwright

FRAME = 1000 / 60
PIPELINE = """
pipeline: big
vars: [{{items: {items}}}]
stages:
  one:
    foreach: ${{items}}
    do: {{cmd: "touch one${{item}}", deps: [in.txt], outs: ["one${{item}}"]}}
  two:
    foreach: ${{items}}
    do: {{cmd: "touch two${{item}}", deps: ["one${{item}}"], outs: ["two${{item}}"]}}
"""
NOTE = """() => {
  window.frames_ = []; window.noting = true;
  let last = null;
  const step = time => {
    if (last !== null) window.frames_.push(time - last);
    last = time;
    if (window.noting) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stages", type=int, default=1000)
    parser.add_argument("--moves", type=int, default=200)
    options = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium is installed: its path in CHROMIUM")
    with tempfile.TemporaryDirectory(dir=DISK) as project:
        root = pathlib.Path(project)
        subprocess.run([PIVOT, "init"], cwd=root, check=True, capture_output=True)
        (root / "pivot.yaml").write_text(PIPELINE.format(items=list(range(options.stages // 2))))
        (root / "in.txt").touch()
        command = [PIVOT, "ui", "--no-browser"]
        with subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as server:
            assert server.stdout is not None
            try:
                measure(chromium, server.stdout.readline().strip(), options.stages, options.moves)
            finally:
                server.send_signal(signal.SIGINT)


def measure(chromium: str, link: str, stages: int, moves: int) -> None:
    """Open the page at a link, and move its graph."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(link)
        page.wait_for_selector(".surface[data-nodes='2']")
        begun = page.evaluate("performance.now()")
        page.click("text=Expand")
        page.wait_for_selector(f".surface[data-nodes='{stages // 2 * 4 + 1}']", timeout=600_000)
        report("until the expanded graph is shown", [page.evaluate("performance.now()") - begun])
        page.press("body", "f")
        for scene in ("all of it", "readable"):
            if scene == "readable":
                page.press("body", "/")
                page.keyboard.type(f"one@{stages // 4}")
                page.keyboard.press("Enter")
                page.wait_for_selector(".node.current")
                page.keyboard.press("Escape")
            report(f"{scene}, dragged", frames(page, lambda: drag(page, moves)))
            report(f"{scene}, zoomed in and out", frames(page, lambda: zoom(page, moves)))
        browser.close()


def frames(page: Any, act: Callable[[], None]) -> list[float]:
    """The milliseconds between the frames while something is done."""
    page.evaluate(NOTE)
    act()
    noted: list[float] = page.evaluate("(window.noting = false, window.frames_)")
    return noted


def drag(page: Any, moves: int) -> None:
    page.mouse.move(900, 500)
    page.mouse.down()
    for at in range(moves):
        there = at if at < moves / 2 else moves - at
        page.mouse.move(900 - 5 * there, 500 - 2 * there)
    page.mouse.up()


def zoom(page: Any, moves: int) -> None:
    page.mouse.move(900, 500)
    for at in range(moves):
        page.mouse.wheel(0, -40 if at < moves / 2 else 40)


def report(name: str, taken: list[float]) -> None:
    ordered = sorted(taken)
    high = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    median = statistics.median(ordered)
    print(f"{name:36} {median / FRAME:7.2f} {high / FRAME:7.2f}   ({len(ordered)} measured)")


if __name__ == "__main__":
    main()
