"""Topics: the pages by the names that users type, and the sections on them."""

import functools
import importlib.resources
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

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
    without = _without_code(text)
    found: dict[str, int] = {}
    for match in _HEADING.finditer(without):
        found.setdefault(slug(match[2]), match.start())
    for match in _ANCHOR.finditer(without):
        found[match[1]] = match.start()
    return found


class Section(NamedTuple):
    """A section of a page, without those below it.

    Attributes:
        topic: The page.
        anchor: Its anchor; that which the page gives it, if it does.
        heading: The text of its heading.
        text: Its Markdown, with the heading.
    """

    topic: Topic
    anchor: str
    heading: str
    text: str

    @property
    def name(self) -> str:
        """Its name for users; that of the page for its first heading."""
        return self.topic.name if self.heading == self.topic.title else f"{self.topic.name}#{self.anchor}"


def search(words: Sequence[str], pages: Iterable[Topic]) -> list[Section]:
    """Return the section of which these words are the anchor, else all whose heading has them, else whose text does.

    A word is found if a word of the text begins with it; an s at its end does not count.
    """
    sections = [section for page in pages for section in _sections(page)]
    exact = [each for each in sections if each.anchor == slug(" ".join(words))]
    if len(exact) == 1:
        return exact
    stems = [re.compile(rf"(?i)\b{re.escape(word.rstrip('s') or word)}") for word in words]
    in_headings = [each for each in sections if _has_all(f"{each.heading} {each.anchor}", stems)]
    return in_headings or [each for each in sections if _has_all(each.text, stems)]


def _has_all(text: str, stems: Iterable[re.Pattern[str]]) -> bool:
    return all(stem.search(text) for stem in stems)


def _sections(topic: Topic) -> Iterator[Section]:
    without = _without_code(topic.text)
    named = {begin: anchor for anchor, begin in anchors(topic.text).items()}
    given = {_HEADING.search(without, begin): anchor for begin, anchor in named.items()}
    by_place = {found.start(): anchor for found, anchor in given.items() if found is not None}
    headings = list(_HEADING.finditer(without))
    ends = [*(each.start() for each in headings[1:]), len(topic.text)]
    for heading, end in zip(headings, ends, strict=True):
        anchor = by_place.get(heading.start(), slug(heading[2]))
        yield Section(topic, anchor, plain(heading[2]), topic.text[heading.start() : end])


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
    without = _without_code(topic.text)
    own = _HEADING.search(without, begin)
    if own is None:
        return begin, len(topic.text)
    for after in _HEADING.finditer(without, own.end()):
        if len(after[1]) <= len(own[1]):
            named = re.search(r'(?:<a id="[\w-]+"></a>\s*)+\Z', without[: after.start()])
            return begin, named.start() if named else after.start()
    return begin, len(topic.text)


def _without_code(text: str) -> str:
    """The text with spaces in place of its code blocks, in which # begins no heading."""
    return _FENCE.sub(lambda match: " " * len(match[0]), text)


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
