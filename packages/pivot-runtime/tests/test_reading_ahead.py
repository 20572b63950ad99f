"""Lock files that are parsed before they are needed."""

import itertools
import os
import pathlib

import pytest

from pivot_cache.formats import lock_file
from pivot_core.lock import CodeEntry, Inputs, StageLock
from pivot_runtime.artifacts import lock_files
from pivot_runtime.context import CommandContext
from pivot_runtime.project.project import Project, init

ADDRESSES = ["p.a", "p.b", "p.c"]


def lock(digit: str) -> StageLock:
    return StageLock(Inputs(1, {"func:f": CodeEntry(digit * 32)}), {})


@pytest.fixture
def context(tmp_path: pathlib.Path) -> CommandContext:
    init(tmp_path)
    context = CommandContext(Project(tmp_path, tmp_path), os.environ)
    for address in ADDRESSES[:2]:
        place = context.project.layout.lock_file(address)
        place.parent.mkdir(exist_ok=True)
        lock_file.write(place, lock("a"))
    return context


def test_a_lock_that_was_written_meanwhile_is_read_again(context: CommandContext) -> None:
    lock_files.read_ahead(context, ADDRESSES, lambda: True)
    layout = context.project.layout
    lock_file.write(layout.lock_file("p.b"), lock("b"))
    lock_file.write(layout.lock_file("p.c"), lock("c"))
    assert [lock_files.read(context, address) for address in ADDRESSES] == [lock("a"), lock("b"), lock("c")]
    layout.lock_file("p.a").unlink()
    assert lock_files.read(context, "p.a") is None


def test_reading_ahead_ends_when_it_is_no_longer_wanted(context: CommandContext) -> None:
    calls = itertools.count()
    lock_files.read_ahead(context, [*ADDRESSES, *ADDRESSES], lambda: next(calls) < 1)
    assert (next(calls), list(context.parsed_locks.values())) == (2, [lock("a")])


def test_what_was_read_ahead_is_used_once_and_not_kept(context: CommandContext) -> None:
    lock_files.read_ahead(context, ADDRESSES, lambda: True)
    (parsed,) = context.parsed_locks.values()
    assert lock_files.read(context, "p.a") is parsed
    assert not context.parsed_locks
    assert lock_files.read(context, "p.a") == parsed


def test_no_more_is_read_ahead_than_memory_allows(context: CommandContext, monkeypatch: pytest.MonkeyPatch) -> None:
    lock_file.write(context.project.layout.lock_file("p.b"), lock("b"))
    monkeypatch.setattr(lock_files, "_MOST_AHEAD", 1)
    lock_files.read_ahead(context, ADDRESSES, lambda: True)
    assert list(context.parsed_locks.values()) == [lock("a")]


@pytest.mark.parametrize("content", [b"", b"\0\0", b"{", b"\xff", b'{"format": 999}'])
def test_what_is_wrong_with_a_lock_is_said_when_it_is_read(context: CommandContext, content: bytes) -> None:
    context.project.layout.lock_file("p.a").write_bytes(content)
    lock_files.read_ahead(context, ADDRESSES, lambda: True)
    assert list(context.parsed_locks.values()) == [lock("a")]
