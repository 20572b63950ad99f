"""Topics: the pages by the names that users type, and the sections on them."""

import functools
import importlib.resources
import re
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import Final

import attrs

from pivot_core.errors import PivotError, suggest
from pivot_core.values import Value

PARTS: Final[Mapping[str, str]] = {
    "": "Start here",
    "concepts": "Concepts",
    "guides": "Guides",
    "coming-from": "Coming from other tools",
    "reference": "Reference",
    "decisions": "How Pivot is built",
}
"""The headings of the folders, in the order in which they are listed."""
_ORDER: Final = tuple(PARTS)
_FIRST: Final = (
    *("index.md", "quick-start.md", "tutorial.md", "troubleshooting.md"),
    *("concepts/artifacts-and-dag.md", "concepts/dependencies.md", "concepts/pipelines.md"),
    *("concepts/fingerprinting.md", "concepts/caching.md", "concepts/remotes.md", "concepts/trust.md"),
)
"""Pages to read in this order; the others of a part follow, by name."""
_ABOUT_THE_CODE: Final = ("architecture.md",)
_SUFFIX: Final = ".md"
_FENCE: Final = re.compile(r"(?ms)^( *)(`{3,})[^\n]*\n.*?^\1\2 *$")
_HEADING: Final = re.compile(r"(?m)^(#+) +(.+?) *$")
_ANCHOR: Final = re.compile(r'<a id="([\w-]+)"></a>')
_ONLY_FOR_TESTS: Final = re.compile(r"(?m)^ *<!--.*?-->\n")
_NAMED: Final = re.compile(r'(?m)^(?:<a id="[\w-]+"></a>)+\n')


class TopicError(PivotError):
    """There is no page, or no section on a page, of this name."""


@attrs.frozen(eq=False, repr=False)
class Topic(Value):
    """A page of the documentation.

    Attributes:
        name: Its name for users: that of the file, after the folder if another page has the bare name. A guide has it
            before a concept, since it says what to do.
        path: Its path below `docs/`.
        text: Its Markdown.
    """

    name: str
    path: str
    text: str

    @property
    def title(self) -> str:
        """The text of its first heading."""
        found = _HEADING.search(self.text)
        return plain(found[2]) if found else self.name

    @property
    def folder(self) -> str:
        """The folder of its file, or "" at the top."""
        return self.path.rpartition("/")[0]

    @property
    def part(self) -> str:
        """The part of the documentation that it belongs to, as in `PARTS`."""
        return "decisions" if self.path in _ABOUT_THE_CODE else self.folder


def files() -> Traversable:
    """The directory with the files of the documentation."""
    return importlib.resources.files("pivot_cli.docs").joinpath("pages")


@functools.cache
def topics() -> Mapping[str, Topic]:
    """All pages by name, in the order in which they are listed."""
    root = files()
    named: dict[str, str] = {}
    for path in sorted(_pages(root), key=lambda path: (path.startswith("concepts/"), path.count("/"), path)):
        bare = path.rpartition("/")[2].removesuffix(_SUFFIX)
        named[path.removesuffix(_SUFFIX) if bare in named else bare] = path
    pages = [Topic(name, path, root.joinpath(path).read_text("utf-8")) for name, path in named.items()]
    return {page.name: page for page in sorted(pages, key=_place)}


def find(name: str) -> Topic:
    """Return the page of a name, which may be the path of its file, too.

    Raises:
        TopicError: There is none.
    """
    known = topics()
    if name in known:
        return known[name]
    path = f"{name.removeprefix('docs/').removesuffix(_SUFFIX)}{_SUFFIX}"
    for topic in known.values():
        if topic.path == path:
            return topic
    hint = suggest(name, known, most=3) or "'pivot docs' lists all pages"
    raise TopicError(f"there is no page {name!r}", hint=hint)


def readable(topic: Topic, anchor: str = "") -> str:
    """Return what `markdown` does, also without the names of sections, which only links need.

    Raises:
        TopicError: The page has no such section.
    """
    return _NAMED.sub("", markdown(topic, anchor))


def markdown(topic: Topic, anchor: str = "") -> str:
    """Return the text of a page, or of one section on it, without the comments that are only for its tests.

    Raises:
        TopicError: The page has no such section.
    """
    text = topic.text
    if anchor:
        begin, end = _section(topic, anchor)
        text = text[begin:end]
    return _ONLY_FOR_TESTS.sub("", text).strip() + "\n"


def anchors(text: str) -> Mapping[str, int]:
    """Return where each section of a page begins, by its anchor: those of its headings, and those that it names."""
    without = _FENCE.sub(lambda match: " " * len(match[0]), text)
    found: dict[str, int] = {}
    for match in _HEADING.finditer(without):
        found.setdefault(slug(match[2]), match.start())
    for match in _ANCHOR.finditer(without):
        found[match[1]] = match.start()
    return found


def slug(heading: str) -> str:
    """Return the anchor of a heading, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", plain(heading).lower()).replace(" ", "-")


def plain(heading: str) -> str:
    """Return the text of a heading without Markdown."""
    return re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", lambda match: match[1] or "", heading)


def _section(topic: Topic, anchor: str) -> tuple[int, int]:
    known = anchors(topic.text)
    if anchor not in known:
        hint = suggest(anchor, known, most=3, format_name=lambda each: f"{topic.name}#{each}")
        raise TopicError(f"the page {topic.name!r} has no section {anchor!r}", hint=hint or f"pivot docs {topic.name}")
    begin = known[anchor]
    without = _FENCE.sub(lambda match: " " * len(match[0]), topic.text)
    own = _HEADING.search(without, begin)
    if own is None:
        return begin, len(topic.text)
    for after in _HEADING.finditer(without, own.end()):
        if len(after[1]) <= len(own[1]):
            named = re.search(r'(?:<a id="[\w-]+"></a>\s*)+\Z', without[: after.start()])
            return begin, named.start() if named else after.start()
    return begin, len(topic.text)


def _place(topic: Topic) -> tuple[int, int, str]:
    """Where a page is in the list."""
    part = _ORDER.index(topic.part) if topic.part in _ORDER else len(_ORDER)
    return part, _FIRST.index(topic.path) if topic.path in _FIRST else len(_FIRST), topic.path


def _pages(folder: Traversable, before: str = "") -> Iterator[str]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _pages(each, f"{before}{each.name}/")
        elif each.name.endswith(_SUFFIX):
            yield f"{before}{each.name}"
