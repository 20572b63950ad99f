"""The `PYTHONPATH` of a command's bash, with a start file first and without a difference for the command; pure."""

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

VARIABLE: Final = "PYTHONPATH"
SEPARATOR: Final = ":"
_MENTION = re.compile(rf"(?<![A-Za-z0-9_]){VARIABLE}(?![A-Za-z0-9_])")
_REMOVAL = re.compile(
    rf"\bunset\s+{VARIABLE}\b|(?:-u\s*|--unset=){VARIABLE}\b|\benv\s+(?:-\S+\s+)*(?:-i|-|--ignore-environment)\s"
)
_IGNORES = re.compile(r"\bpython[\d.]*(?:\s+-\S+)*\s+-[A-Za-z]*[EIS]")
_BREAKS: Final = frozenset(" \t\n;&|()<>")
_STARTS: Final = frozenset(";&|(\n")
_KEYWORDS: Final = frozenset({"!", "do", "else", "if", "then", "time", "while", "until", "{"})
_SETTERS: Final = frozenset({"declare", "env", "exec", "export", "local", "nohup", "typeset", "command"})
_REMOVERS: Final = frozenset({"unset", "-u"})
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")


class ObservedPath(NamedTuple):
    """The command and the variable for bash.

    Attributes:
        text: The command, with the start file in each new value of the variable.
        value: The variable in the environment.
        plus: An unset variable leaves out a separator: ``src${PYTHONPATH:+:$PYTHONPATH}``.
        lost: Some programs do not get the start file.
    """

    text: str
    value: str
    plus: bool
    lost: bool


class _Mentions(NamedTuple):
    """The places where a text names the variable.

    Attributes:
        new: The positions of values that replace it.
        plain: The number of references to it.
        plus: The number of references that depend on whether it is set.
    """

    new: tuple[int, ...]
    plain: int
    plus: int


def observed(text: str, before: str | None, place: str, files: Iterable[str] = ()) -> ObservedPath | None:
    """The path for a command; None if it acts differently when the variable is set.

    Args:
        text: The command.
        before: The variable without the start file.
        place: The directory of the start file.
        files: The texts of shell scripts that it names.
    """
    if SEPARATOR in place:
        return None
    value = f"{place}{SEPARATOR}{before}" if before else place
    found = _mentions(text)
    inside = [_mentions(each) for each in files]
    if found is None or None in inside:
        return None
    every = [found, *(each for each in inside if each is not None)]
    plus = any(each.plus for each in every)
    if not before and plus and any(each.plain for each in every):
        return None  # the two leave different traces of the start file
    for start in reversed(found.new):
        empty = start == len(text) or text[start] in _BREAKS
        text = f"{text[:start]}{shlex.quote(f'{place}/' if empty else f'{place}/{SEPARATOR}')}{text[start:]}"
    lost = _REMOVAL.search(text) is not None or any(each.new for each in every[1:])
    lost = lost or _IGNORES.search(text) is not None
    return ObservedPath(text, value, plus, lost)


def _mentions(text: str) -> _Mentions | None:
    """The mentions in a command or script; None if it looks whether the variable is set, or cannot be understood."""
    places = [match.start() for match in _MENTION.finditer(text)]
    if not places:
        return _Mentions((), 0, 0)
    words = list(_words(text)) if "<<" not in text else None
    if words is None:
        return None
    new, plain, plus = [], 0, 0
    for start, end in words:
        word = text[start:end]
        if _MENTION.search(word) is None or _is_only_named(text, words, start, word):
            continue
        assigns = word.startswith((f"{VARIABLE}=", f"{VARIABLE}+=")) and _assigns(text, words, start)
        used = _references(word[len(VARIABLE) :]) if assigns else None
        if used is None:
            return None
        plain, plus = plain + used[0], plus + used[1]
        if used == (0, 0) and word.startswith(f"{VARIABLE}="):
            new.append(start + len(VARIABLE) + 1)
    return _Mentions(tuple(new), plain, plus)


def _is_only_named(text: str, words: list[tuple[int, int]], start: int, word: str) -> bool:
    """Whether a word, as in `export PYTHONPATH` or `make PYTHONPATH=src`, does not look at the variable."""
    if word == VARIABLE:
        if text[start + len(word) :].lstrip(" \t").startswith("?="):  # in a makefile
            return False
        return _word_before(text, words, start) in _SETTERS | _REMOVERS
    return word.startswith(f"{VARIABLE}=") and "$" not in word and not _assigns(text, words, start)


def _references(value: str) -> tuple[int, int] | None:
    """The references to the variable in its new value: plain ones, and those to it if it is set; None for others."""
    if value.startswith("=~"):  # `env` does not expand it behind a start file
        return None
    rest, plus = re.subn(
        rf"\$\{{{VARIABLE}:?\+:?\${VARIABLE}:?\}}|\$\{{{VARIABLE}:?\+:?\$\{{{VARIABLE}\}}:?\}}", "", value
    )
    rest, plain = re.subn(rf"\${VARIABLE}(?![A-Za-z0-9_])|\$\{{{VARIABLE}\}}", "", rest)
    return None if _MENTION.search(rest) else (plain, plus)


def _words(text: str) -> Iterator[tuple[int, int]]:  # noqa: C901 - one line per kind of character
    """The start and end of each word, with quoted parts in it; nothing after a quote that is not closed."""
    start: int | None = None
    quote, depth, position = "", 0, 0
    while position < len(text):
        char = text[position]
        if char == "\\" and quote != "'":
            start = position if start is None else start
            position += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote, start = char, position if start is None else start
        elif char == "#" and start is None:
            position = text.find("\n", position) % (len(text) + 1)
            continue
        elif depth or text.startswith(("${", "$("), position):
            start = position if start is None else start
            position += char == "$" and text.startswith(("${", "$("), position)
            depth += (text[position] in "({") - (text[position] in ")}")
        elif char in _BREAKS:
            if start is not None:
                yield start, position
            start = None
        elif start is None:
            start = position
        position += 1
    if start is not None:
        yield start, len(text)


def _assigns(text: str, words: list[tuple[int, int]], start: int) -> bool:
    """Whether the word that begins here is an assignment: only others, and words like `env`, are before it."""
    index = next(number for number, (each, _) in enumerate(words) if each == start)
    while index > 0:
        before_start, before_end = words[index - 1]
        if _STARTS.intersection(text[before_end : words[index][0]]):
            return True
        word = text[before_start:before_end]
        if word in _KEYWORDS:
            return True
        if not (word in _SETTERS or word.startswith("-") or _ASSIGNMENT.match(word)):
            return False
        index -= 1
    return True


def _word_before(text: str, words: list[tuple[int, int]], start: int) -> str:
    return next((text[a:b] for a, b in reversed(words) if b <= start), "")
