"""The built site: every page can be reached, every link leads somewhere, and nothing is loaded from another host."""

import importlib.util
import itertools
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).parent.parent
_SPEC = importlib.util.spec_from_file_location("browser", ROOT / "packages/pivot/tests/browser.py")
assert _SPEC is not None
assert _SPEC.loader is not None
browser = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(browser)
LINKS = re.compile(r'<a\b[^>]*?\shref="([^"]*)"')
LOADED = re.compile(
    r'<(?:script|img|iframe|source|video|audio|embed|input)\b[^>]*?\ssrc="([^"]*)"'
    r'|<(?:link|image|use)\b[^>]*?\s(?:xlink:)?href="([^"]*)"|<object\b[^>]*?\sdata="([^"]*)"'
)
IN_STYLES = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s*["']([^"']+)""")
IDS = re.compile(r'\sid="([^"]*)"')


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The directory of the site, which is built here if none is given."""
    built = ROOT / os.environ["SITE"] if "SITE" in os.environ else tmp_path_factory.mktemp("site")
    if "SITE" not in os.environ:
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(built)]
        subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    return built


@pytest.fixture(scope="module")
def site(built: pathlib.Path) -> dict[str, str]:
    """The text of each page, style and picture of the site, by path."""
    texts = {".html", ".css", ".svg"}
    files = (path for path in sorted(built.rglob("*")) if path.is_file())
    found = {path.relative_to(built).as_posix(): path.read_text() if path.suffix in texts else "" for path in files}
    del found["404.html"]  # a server shows it for any address, so its links are absolute
    return found


def pages(site: dict[str, str]) -> dict[str, str]:
    return {path: text for path, text in site.items() if path.endswith(".html")}


def target(page: str, link: str) -> tuple[str, str]:
    """The file of the site that a link in a page leads to, and the anchor in it."""
    url = urllib.parse.urlsplit(link)
    path = os.path.normpath(os.path.join(os.path.dirname(page), urllib.parse.unquote(url.path))) if url.path else page
    return path, urllib.parse.unquote(url.fragment)


def is_elsewhere(link: str) -> bool:
    """Whether a link leads out of the site."""
    url = urllib.parse.urlsplit(link)
    return bool(url.scheme or url.netloc)


def test_every_page_can_be_reached_from_the_first_one(site: dict[str, str]) -> None:
    """Most are in the navigation, which a test of `mkdocs.yml` checks; pages link to the others."""
    reached, waiting = {"index.html"}, ["index.html"]
    while waiting:
        page = waiting.pop()
        found = {
            target(page, link)[0] for link in LINKS.findall(site.get(page, "")) if not is_elsewhere(link)
        } - reached
        reached |= found
        waiting += found

    assert sorted(pages(site).keys() - reached) == []


def test_every_link_leads_to_a_page_and_an_anchor_on_it(site: dict[str, str]) -> None:
    anchors = {path: {"", "__top", *IDS.findall(text)} for path, text in pages(site).items()}
    broken = {
        (page, link)
        for page, text in pages(site).items()
        for link in set(LINKS.findall(text))
        if not is_elsewhere(link)
        for path, anchor in [target(page, link)]
        if path not in site or anchor not in anchors.get(path, {""})
    }

    assert sorted(broken) == []


def test_nothing_is_loaded_from_another_host(site: dict[str, str]) -> None:
    wrong = []
    for page, text in site.items():
        loaded = {link for links in LOADED.findall(text) for link in links if link}
        styles = text if page.endswith(".css") else "".join(re.findall(r"<style.*?</style>", text, re.DOTALL))
        loaded |= {link for links in IN_STYLES.findall(styles) for link in links if link}
        wrong += [
            f"{page}: {link}"
            for link in sorted(loaded)
            if not link.startswith(("data:", "#"))
            if is_elsewhere(link) or target(page, link)[0] not in site
        ]

    assert wrong == []


def test_notes_for_the_tests_of_pages_are_not_shown(site: dict[str, str]) -> None:
    assert [page for page, text in pages(site).items() if "<!-- docs:" in text] == []


def test_the_copy_button_of_a_console_copies_its_commands(site: dict[str, str]) -> None:
    assert 'data-copy="pivot config set warm on' not in site["guides/warm.html"], "a script is copied as it is"
    assert 'data-copy="cat summary.json"' in site["quick-start.html"]


def test_recipes_of_make_begin_with_a_tab(site: dict[str, str]) -> None:
    shown = re.sub(r"<[^>]+>", "", site["coming-from/make.html"])

    assert "total.txt: $(PARTS)\n\tcat $^ " in shown


WIDE = (
    "index",
    "quick-start",
    "guides/loaders",
    *(f"reference/{name}" for name in ("cli", "configuration", "python-api")),
)


def test_pages_fit_and_the_search_finds_in_a_browser_without_a_server(built: pathlib.Path) -> None:
    chromium = browser.browser()
    for page, (width, dark) in itertools.product(WIDE, ((400, True), (1400, False))):
        opened = chromium.open(built / f"{page}.html", width=width, dark=dark)
        beyond = opened.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        problems = [each for each in opened.problems() if not each.startswith(f"request for {built.as_uri()}/")]
        assert (page, width, beyond, problems) == (page, width, 0, [])

    opened.click("input.md-search__input")
    opened.type("garbage collection")
    chromium.ask("wait_for_selector", ".md-search-result__item")
    assert "The cache" in opened.text(".md-search-result__list")


def test_the_page_of_exit_codes_names_commands() -> None:
    commands = set(re.findall(r"^## `(pivot.*)`$", (ROOT / "docs/reference/cli.md").read_text(), re.MULTILINE))
    _, _, table = (ROOT / "docs/reference/exit-codes.md").read_text().partition("| command |")
    named = {name for line in table.splitlines() for name in re.findall(r"`(pivot [a-z -]+?)`", line.split(" | ")[0])}

    assert sorted(named - commands - {"pivot config get", "pivot config unset", "pivot lock merge"}) == []


@pytest.mark.parametrize("scene", ["quickstart", "explain", "dag", "verify"])
def test_recorded_terminals_show_what_the_commands_print(scene: str) -> None:
    """If not: `nox -s reference` records them again."""
    command = [sys.executable, str(ROOT / "website/recordings/record.py"), "--check", scene]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_diagrams_are_those_that_the_script_draws() -> None:
    """If not: `nox -s reference` draws them again."""
    command = [sys.executable, str(ROOT / "website/diagrams.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.stdout + done.stderr, done.returncode) == ("", 0)
