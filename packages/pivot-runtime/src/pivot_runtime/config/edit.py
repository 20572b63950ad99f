"""Edits of a configuration file that keep every other byte: set, unset and rename a key.

The changed text is parsed again: it must have exactly the intended content, otherwise nothing is changed.
"""

import contextlib
import re
from collections.abc import Sequence

from pivot_runtime.config.file import ConfigEntry, FormatError, Span, read_entries, read_yaml, rendered


def assign(text: str, key: str, value: str) -> str:
    """The text with ``key`` set: in its place if it exists, otherwise on a new last line.

    A section of the same name becomes flat keys, since a mapping cannot have both.

    Raises:
        FormatError: The text is not a valid configuration, or its form does not allow the change.
    """
    entries = _entries(text, key)
    if entries is None:
        return _in_lines(text, key, f"{key}: {rendered(value)}")
    if any(entry.key.startswith(f"{key}.") and not _is_flat(text, entry) for entry in entries):
        text = _flattened(text, key, entries)
        entries = read_yaml(text, spans=True)
    mine = [entry for entry in entries if entry.key == key]
    if not mine:
        wanted = [*_plain(entries), (key, value)]
        return _checked(_appended(text, f"{key}: {rendered(value)}"), wanted, text.count("\n") + 1)
    first, *more = mine
    changed = text
    for entry in reversed(more):
        changed = _without(changed, _span(entry))
    changed = _with_value(changed, _span(first), rendered(value))
    wanted = [(key, value) if entry is first else (entry.key, entry.value) for entry in entries if entry not in more]
    return _checked(changed, wanted, first.line)


def remove(text: str, key: str) -> str:
    """The text without the lines of ``key``; the same text if it is not there.

    Raises:
        FormatError: The text is not a valid configuration, or its form does not allow the change.
    """
    entries = _entries(text, key)
    if entries is None:
        return _in_lines(text, key, None)
    mine = [entry for entry in entries if entry.key == key]
    if not mine:
        return text
    changed = text
    for entry in reversed(mine):
        changed = _without(changed, _span(entry))
    wanted = [pair for pair in _plain(entries) if pair[0] != key]
    return _checked(changed, wanted, mine[0].line)


def rename(text: str, old: str, new: str) -> str:
    """The text with another last part of the key ``old``, in the same place.

    Raises:
        FormatError: The text is not a valid configuration, or its form does not allow the change.
    """
    entries = read_yaml(text, spans=True)
    before, after = old.rpartition(".")[2], new.rpartition(".")[2]
    changed = text
    for entry in reversed([entry for entry in entries if entry.key == old]):
        span = _span(entry)
        head, _, tail = changed[span.key : span.key_end].rpartition(before)
        changed = f"{changed[: span.key]}{head}{after}{tail}{changed[span.key_end :]}"
    wanted = [(new if key == old else key, value) for key, value in _plain(entries)]
    return _checked(changed, wanted, next((entry.line for entry in entries if entry.key == old), 1))


def _entries(text: str, key: str) -> tuple[ConfigEntry, ...] | None:
    """The entries; None if the text is not YAML but has a line that looks like that of the key."""
    try:
        return read_yaml(text, spans=True)
    except FormatError:
        if _line_of(key).search(text):
            return None
        raise


def _is_flat(text: str, entry: ConfigEntry) -> bool:
    span = _span(entry)
    return text[span.key : span.key_end].strip("'\"") == entry.key


def _flattened(text: str, key: str, entries: Sequence[ConfigEntry]) -> str:
    """The text with flat keys in the places of those in a section.

    Raises:
        FormatError: Its form does not allow that.
    """
    from pivot_runtime.definitions.yaml_document import compose  # lazy

    root, ending = compose(text), _ending(text)
    sections = () if root is None else root.value
    for name, section in reversed(sections):
        if name.value != key or section.id != "mapping" or not section.value:
            continue
        margin = " " * name.start_mark.column
        start = name.start_mark.index - len(margin)
        if section.flow_style:
            inside = [entry for entry in read_yaml(text[start : section.end_mark.index]) if entry.value is not None]
            lines = [f"{margin}{entry.key}: {rendered(entry.value or '')}" for entry in inside]
            text = text[:start] + ending.join(lines) + text[section.end_mark.index :]
            continue
        first = text.rfind("\n", 0, section.start_mark.index) + 1
        end = first + len(text[first : section.end_mark.index].rstrip())
        keys = {each.start_mark.line for each, _ in section.value}
        deeper = " " * section.start_mark.column
        head = [line.strip() for line in text[name.end_mark.index : first].partition(":")[2].splitlines()]
        lines = [f"{margin}{comment}" for comment in head if comment]
        for number, line in enumerate(text[first:end].split(ending), section.start_mark.line):
            rest = line.removeprefix(deeper)
            lines.append(f"{margin}{key}.{rest}" if number in keys else f"{margin}{rest}")
        text = text[:start] + ending.join(lines) + text[end:]
    return _checked(text, _plain(entries), entries[0].line)


def _line_of(key: str) -> re.Pattern[str]:
    return re.compile(rf"^{re.escape(key)} *:.*(?:\n|\Z)", re.MULTILINE)


def _in_lines(text: str, key: str, line: str | None) -> str:
    """An invalid text, repaired by replacing or removing the lines of the key; the rest must be valid."""
    ending = _ending(text)
    changed = _line_of(key).sub(lambda _: "" if line is None else f"{line}{ending}", text)
    with contextlib.suppress(FormatError):
        read_entries(changed)
        return changed
    read_entries(text)
    raise AssertionError(key)


def _with_value(text: str, span: Span, value: str) -> str:
    between = text[span.key_end : span.value]
    if "\n" in between and between.strip() == ":":  # the value was on its own lines
        span = span._replace(value=text.index(":", span.key_end) + 1)
    old = text[span.value : span.value_end]
    kept = old[len(old.rstrip("\r\n")) :]
    gap = "" if text[span.value - 1 : span.value] in (" ", "\t") else " "
    return f"{text[: span.value]}{gap}{value}{kept}{text[span.value_end :]}"


def _without(text: str, span: Span) -> str:
    """Remove the whole lines from the key to the end of the value."""
    start = text.rfind("\n", 0, span.key) + 1
    end = span.value_end
    if text[end - 1 : end] != "\n" or end <= span.key:
        newline = text.find("\n", end)
        if newline < 0:  # the last line has no end: then the line before must not have one, either
            start -= len(text[:start]) - len(text[:start].removesuffix("\n").removesuffix("\r"))
            end = len(text)
        else:
            end = newline + 1
    return text[:start] + text[end:]


def _appended(text: str, line: str) -> str:
    ending = _ending(text)
    indent = next(iter(re.findall(r"^( *)[^\s#]", text, re.MULTILINE)), "")
    if not text or text.endswith("\n"):
        return f"{text}{indent}{line}{ending}"
    return f"{text}{ending}{indent}{line}"


def _ending(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _span(entry: ConfigEntry) -> Span:
    if entry.span is None:
        raise AssertionError(entry)
    return entry.span


def _plain(entries: Sequence[ConfigEntry]) -> list[tuple[str, str | None]]:
    return [(entry.key, entry.value) for entry in entries]


def _checked(text: str, wanted: Sequence[tuple[str, str | None]], line: int) -> str:
    """The text, if it has the intended content; a key without a value is ignored, since it may be an empty section."""
    try:
        found = _plain(read_yaml(text))
    except FormatError:
        found = [("", None)]
    if [pair for pair in found if pair[1] != ""] != [pair for pair in wanted if pair[1] != ""]:
        raise FormatError("the form of this file is too complex to be changed here: edit the line by hand", line)
    return text
