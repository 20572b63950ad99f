"""Pages, messages, docstrings and comments are plain English: a list of phrases with a better word for each.

The phrases are translated idioms or inverted sentences that make a reader stop. Code blocks and inline code of pages do
not count, since they show exact output, and neither do the strings of tests; everything else that a person reads does.
"""

import ast
import functools
import io
import pathlib
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from parsed_modules import MODULES as SOURCES
from parsed_modules import ROOT, sources

WHERE = r"(?:in|into|at|on|below|beside|beneath|between|there|here|elsewhere|inside|outside|under|above|behind|nowhere)"
PHRASES = {
    r"\brest(?:s|ed|ing)? (?:up)?on\b": "depends on",
    r"\b(?:on|upon) which [^.?!:;]{1,40} rests?\b": "which it depends on",
    r"\b(?:to be|may be|can be|cannot be) had\b": "available",
    r"\btold\b(?! apart)": "reported",
    r"\bcannot be told\b": "is unknown",
    r"\b(?:is|are|was|were) said\b": "is reported",
    r"\b(?:is|are|was|were) seen to\b": "was observed to",
    r"\bas it comes\b": "immediately",
    r"\banew\b": "again",
    r"(?:^|[.:;] )What (?!if\b)[^.?!:;]*(?:[.;:!]|$)": "a noun: not 'What is kept', but 'The kept files'",
    r"(?:^|[.:;] )Who (?:is|has|does|wants|would|can)\b[^.?!:;]*(?:[.;:!]|$)": "a noun: 'Anyone who', 'Users who'",
    r"(?i)\bwhat (?:became|becomes|came|comes) of\b": "the result of",
    r"\b(?:Said|Kept|Listed|Passed|Accepted|Checked|Shown|Counted)(?: first| also)? (?:is|are)\b": "subject first",
    rf"\blies\b|\b(?:lie|lay|lying|lain) {WHERE}\b": "is",
    rf"\b(?:stands?|stood) (?!in for\b){WHERE}\b": "is",
    r"\bfor ever\b": "forever",
    r"\bof one's own\b": "of your own, custom",
    r"\bas ever\b": "as usual",
    r"\bfor want of\b": "for lack of",
    r"\b(?:mend|mends|mended|mending)\b": "repair",
    r"\b(?:heed|heeds|heeded|heeding)\b": "respect",
    r"\bwins? over\b": "overrides",
    r"\busual remote\b": "default remote",
    r"\bthe present (?:code|state|one|stage|content)\b": "current",
    r"\bwithout a word\b": "silently",
    r"\bhang together\b": "depend on each other",
    r"\bcomes? to be\b": "is created",
    r"\bsee to (?!it that\b)": "check",
    r"\b(?:stand|stands|stood) twice\b": "occurs twice",
    r"\bthe usual one\b": "the default",
    r"\b(?:is|are) no more\b(?! than\b)": "no longer exists",
    r"\btakes its time\b": "is slow",
    r"\bways? out\b": "hint, solution",
    r"\bif need be\b": "if necessary",
    r"\blest\b": "so that ... not",
    r"\bin vain\b": "without effect",
    r"\b(?:nobody|only an import|it cannot|cannot|can) tell\b": "is unknown, determine",
    r"\b[Tt]old (?:of|how|what)\b": "called with",
    r"\bweightiest\b": "most important",
    r"(?:^|[.:;] )So many\b": "the number of",
    r"\bhalf there\b": "incomplete",
    r"\bmust hold\b": "must contain",
    r"\b(?:thereof|therein|wherein|whence|whither|hither|hereby|herein)\b": "a plain word",
}
"""Regular expressions over prose with single spaces, and what to write instead."""

REMAINING: dict[str, int] = {}
"""How often a phrase still occurs in the sources: each number may only shrink, and an absent phrase stays absent."""

FIXED: set[str] = set()
"""Exact texts with such a phrase that others fix, and that therefore stay."""

PAGES = sorted(
    path
    for pattern in ("*.md", "changes/*.md", "docs/**/*.md", "packages/*/README.md", "examples/**/*.yml")
    for path in ROOT.glob(pattern)
)
TESTS = sorted(
    path
    for pattern in ("packages/*/tests/**/*.py", "tests/*.py", "benchmarks/*.py", "*.py")
    for path in ROOT.glob(pattern)
    if path != pathlib.Path(__file__) and "golden" not in path.parts
)


PARAGRAPH = re.compile(r"\S.*?(?=\n *(?:[-*]|\d+\.) |\n\||\n\s*\n|\Z)", re.DOTALL)
"""A paragraph, an item of a list, or a row of a table."""


def page_prose(text: str) -> Iterator[tuple[int, str]]:
    """The paragraphs, list items and table cells of a page, without headings and code; each with its line."""
    text = re.sub(r"(?ms)^( *)```.*?^\1```$", lambda match: "\n" * match[0].count("\n"), text)
    text = re.sub(r"(?m)^#+ .*$", "", re.sub(r"`[^`\n]+`", "`code`", text))
    for match in PARAGRAPH.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        for part in match[0].split("|"):
            yield line, re.sub(r"^ *(?:[-*]|\d+\.) ", "", " ".join(part.split()))


def tokens(source: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(source).readline))


def comments(found: Iterable[tokenize.TokenInfo]) -> Iterator[tuple[int, str]]:
    """The comments of a module; those on lines that follow each other are one."""
    block: list[str] = []
    start = last = 0
    for token in found:
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != last + 1 and block:
            yield start, " ".join(block)
            block = []
        if not block:
            start = token.start[0]
        block.append(token.string.lstrip("#: "))
        last = token.start[0]
    if block:
        yield start, " ".join(block)


def docstring_prose(text: str) -> Iterator[str]:
    """The paragraphs of a docstring, and each of its `Args:` and the like without its name."""
    for paragraph in re.split(r"\n\s*\n|\n(?= +\w+: )", text):
        yield re.sub(r"^\w+: ", "", " ".join(paragraph.split()))


def docstrings(found: Iterable[tokenize.TokenInfo]) -> Iterator[tuple[int, str]]:
    """The docstrings of a module, of its attributes too: lines that are strings and nothing else.

    To parse the module for them would take several times as long.
    """
    line: list[tokenize.TokenInfo] = []
    for token in found:
        if token.type == tokenize.NEWLINE:
            if [each.type for each in line] == [tokenize.STRING]:
                text = ast.literal_eval(line[0].string)
                if isinstance(text, str):
                    for paragraph in docstring_prose(text):
                        yield line[0].start[0], paragraph
            line = []
        elif token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
            line.append(token)


def strings(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """The docstrings of a module, of its attributes too, and all other strings of it."""
    nodes = [node for node in nodes if isinstance(node, ast.Expr | ast.Constant | ast.JoinedStr)]
    documents = {
        node.value
        for node in nodes
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    inside = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if node in documents and isinstance(node, ast.Constant):
            for paragraph in docstring_prose(str(node.value)):
                yield node.lineno, paragraph
        elif isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield node.lineno, " ".join("".join(parts).split())
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside:
            yield node.lineno, " ".join(node.value.split())


def prose(path: pathlib.Path) -> Iterator[tuple[int, str]]:
    """What a person reads in a file, with its line."""
    text = path.read_text()
    if path.suffix == ".py":
        found = tokens(text)
        others = docstrings(found) if path in TESTS else strings(sources()[path].nodes)
        for line, said in (*comments(found), *others):
            if " " in said:
                yield line, re.sub(r"`[^`]+`", "`code`", said)
    elif path.suffix == ".md":
        yield from page_prose(text)
    else:
        yield 1, text


def findings(text: str, phrases: Iterable[str] = PHRASES) -> Iterator[str]:
    """The phrases in a text."""
    for phrase in phrases:
        for _ in re.finditer(phrase, text):
            if text not in FIXED:
                yield phrase


def candidates(texts: Iterable[str]) -> list[str]:
    """The phrases that may be in some of the texts: one search in all is much faster than one in each.

    So is one for a phrase that begins with a letter, which may be within a word here.
    """
    joined = "\n".join(texts)
    return [phrase for phrase in PHRASES if re.search(phrase.removeprefix(r"\b"), joined, re.MULTILINE)]


@functools.cache
def places(*paths: pathlib.Path) -> dict[str, list[str]]:
    """Where each phrase occurs, with the better word."""
    found: dict[str, list[str]] = {}
    for path in paths:
        said = list(prose(path))
        phrases = candidates(text for _, text in said)
        for line, text in said:
            for phrase in findings(text, phrases):
                place = f"{path.relative_to(ROOT).as_posix()}:{line}: {text[:160]}"
                found.setdefault(phrase, []).append(f"{place}\n    write: {PHRASES[phrase]}")
    return found


def test_pages_are_in_plain_english() -> None:
    assert places(*PAGES) == {}


def test_sources_are_in_plain_english() -> None:
    found = places(*SOURCES, *TESTS)
    more = {phrase: where for phrase, where in found.items() if len(where) > REMAINING.get(phrase, 0)}

    assert more == {}


@pytest.mark.parametrize(
    "text",
    [
        "The result rests on its inputs.",
        "What is kept stands in a list.",
        "Files are loaded. What a run left is removed.",
        "An error is told at the end.",
        "The cache lies in the project.",
        "Kept is what a run wrote.",
        "It waits for ever.",
    ],
)
def test_a_phrase_is_found(text: str) -> None:
    assert list(findings(text)) != []


@pytest.mark.parametrize(
    "text",
    [
        "The result depends on its inputs.",
        "What is a library?",
        "Two runs can be told apart.",
        "`MemoryRemote` stands in for it.",
        "It is in the project.",
    ],
)
def test_plain_english_passes(text: str) -> None:
    assert list(findings(text)) == []


def test_prose_is_read_from_comments_strings_and_pages() -> None:
    source = """'''A module.

    name: Its name.
'''

# One
# comment.
text = f"one {text} two" "three"

# noqa
"""
    page = (
        "# Title\n\nA line\nand one.\n\n```python\ncode\n```\n\n- one `x`\n- two\n\n| a | b |\n|---|---|\n| c | d |\n"
    )

    nodes = list(ast.walk(ast.parse(source)))
    assert [text for _, text in comments(tokens(source))] == ["One comment.", "noqa"]
    assert [text for _, text in docstrings(tokens(source))] == ["A module.", "Its name."]
    assert [text for _, text in strings(nodes)] == ["A module.", "Its name.", "one … twothree"]
    found = [text for _, text in page_prose(page) if text.strip("-")]
    assert found == ["A line and one.", "one `code`", "two", "a", "b", "c", "d"]
