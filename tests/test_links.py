"""Links between pages lead to a page, and to a heading on it; the pages that list others or names are complete."""

import importlib.util
import itertools
import pathlib
import re
from collections.abc import Iterator

import yaml

import pivot
import pivot_fingerprint
from pivot_cli.docs.topics import topics

ROOT = pathlib.Path(__file__).parent.parent
PAGES = sorted(
    path
    for pattern in ("*.md", "changes/*.md", "docs/**/*.md", "packages/*/README.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)
FENCED = re.compile(r"^(`{3,}).*?^\1`*$", re.MULTILINE | re.DOTALL)
_SPEC = importlib.util.spec_from_file_location("link_pages", ROOT / "docs/reference/link_pages.py")
assert _SPEC is not None
assert _SPEC.loader is not None
link_pages = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(link_pages)
LINK = re.compile(r"\]\((?![a-z]+:)([^)\s#]*)(?:#([^)\s]*))?\)")


def broken_links(page: pathlib.Path) -> list[str]:
    """The targets of links in a page, to files and headings of the repository, that do not exist."""
    broken = []
    folder = ROOT if page.parent.name == "changes" else page.parent  # a fragment becomes part of CHANGELOG.md
    for path, anchor in LINK.findall(FENCED.sub("", page.read_text())):
        target = folder / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(f"{path}#{anchor}" if anchor else path)
    return broken


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them, and those that the page names itself."""
    named = set(re.findall(r'<a id="([^"]+)"></a>', text))
    headings = re.findall(r"^#+ +(.+?) *$", FENCED.sub("", text), re.MULTILINE)
    return named | {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def in_navigation(entry: object) -> Iterator[str]:
    """The pages below an entry of the site's navigation."""
    match entry:
        case str():
            yield entry
        case list() | dict():
            for each in entry.values() if isinstance(entry, dict) else entry:
                yield from in_navigation(each)


def test_the_navigation_of_the_site_has_each_page_once() -> None:
    """If not: add the page to `nav` in mkdocs.yml, in the section where a reader would look for it."""
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")]
    outside = [
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        *(f"packages/{path.name}/README.md" for path in ROOT.glob("packages/*")),
    ]
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]

    assert sorted(in_navigation(navigation)) == sorted([*pages, *outside])


def test_concepts_are_everywhere_in_the_order_in_which_they_continue_each_other() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    order = [page for page in in_navigation(navigation) if page.startswith("concepts/")]

    assert [topic.path for topic in topics().values() if topic.folder == "concepts"] == order
    for page, after in itertools.pairwise(order):
        name, after_name = page.removeprefix("concepts/"), after.removeprefix("concepts/")
        assert re.search(rf"^Next: \[.*\]\({after_name}\)\.$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
        assert f"\n<!-- docs: continues {name} -->\n" in (ROOT / "docs" / after).read_text()


def test_indexes_list_each_guide_and_each_decision() -> None:
    """If not: add the page to the index, in the section that has it in mkdocs.yml, too."""
    for folder in (ROOT / "docs/guides", ROOT / "docs/decisions"):
        listed = [path for path, _ in LINK.findall((folder / "index.md").read_text()) if "/" not in path]
        assert sorted(listed) == sorted(page.name for page in folder.glob("*.md") if page.name != "index.md")


def test_the_python_api_has_every_name_that_users_import() -> None:
    """If not: add the name to the page, in the section where a reader would look for it."""
    page = (ROOT / "docs/reference/python-api.md").read_text()
    exported = [
        *(f"pivot.{name}" for name in [*pivot.__all__, *pivot._LAZY]),
        *(f"pivot.checks.{name}" for name in pivot.checks.__all__),
        *(f"pivot.loaders.{name}" for name in [*pivot.loaders.__all__, *pivot.loaders.OF_PIVOT_LOADERS]),
        *(f"pivot_fingerprint.{name}" for name in pivot_fingerprint.__all__),
    ]
    modules = {"pivot.checks", "pivot.loaders"}

    assert sorted(re.findall(r"^::: (\S+)$", page, re.MULTILINE)) == sorted({*exported} - modules)


def test_links_lead_somewhere() -> None:
    assert {str(page.relative_to(ROOT)): found for page in PAGES if (found := broken_links(page))} == {}


def test_broken_links_are_found(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Where do I put …\n[a](#where-do-i-put-) [b](page.md#gone) [c](none.md) [d](https://example.org)\n"
    )

    assert broken_links(page) == ["page.md#gone", "none.md"]


def test_each_page_is_linked_into_the_package() -> None:
    """If not: `python docs/reference/link_pages.py` links it, for `pivot docs`."""
    assert link_pages.differing() == []
