"""Messages over a pipe arrive whole and in order, however the pipe cuts them."""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_runtime.processes import wire

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a\n\\"é\u2028\udcff', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab\n", max_size=3), inner, max_size=3),
    max_leaves=6,
)
MESSAGES = st.lists(st.dictionaries(st.text("ab\n", max_size=3), VALUES, max_size=3), max_size=5)


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0), os.fdopen(writing, "wb", buffering=0):
        yield reading, writing


@given(MESSAGES, st.data())
def test_messages_survive_any_cuts(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    with pipe() as (reading, writing):
        for message in messages:
            wire.send(writing, message)
        sent = os.read(reading, 1 << 16) if messages else b""
        cuts = sorted(data.draw(st.sets(st.integers(0, len(sent)), max_size=6)))

        lines = wire.MessageReader(reading)
        received: list[dict[str, Any]] = []
        for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
            if start < end:
                os.write(writing, sent[start:end])
                received += lines.receive()

    assert received == messages
    assert not lines.closed


def test_a_message_larger_than_the_pipe() -> None:
    message = {"text": "x" * 1_000_000}
    with pipe() as (reading, writing):
        sender = threading.Thread(target=wire.send, args=(writing, message))
        sender.start()
        lines = wire.MessageReader(reading)
        received: list[dict[str, Any]] = []
        while not received:
            received += lines.receive()
        sender.join()

    assert received == [message]


def test_the_end_is_reported_and_a_partial_message_is_dropped() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0):
        lines = wire.MessageReader(reading)
        os.write(writing, b'{"whole": 1}\n{"half"')
        os.close(writing)

        assert (list(lines.receive()), lines.closed) == ([{"whole": 1}], False)
        assert (list(lines.receive()), lines.closed) == ([], True)


def test_nothing_there_on_a_descriptor_that_does_not_block() -> None:
    with pipe() as (reading, _):
        os.set_blocking(reading, False)
        lines = wire.MessageReader(reading)

        assert (list(lines.receive()), lines.closed) == ([], False)


def test_nobody_reads() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0), pytest.raises(BrokenPipeError):
        wire.send(writing, {})


def test_functions_that_user_code_replaces_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that takes long is asked for its line, whatever it has replaced by then."""
    with pipe() as (reading, writing), monkeypatch.context() as replacing:
        replacing.setattr(os, "write", lambda *_: "a lie")
        replacing.setattr(os, "read", lambda *_: "a lie")
        wire.send(writing, {"a": 1})
        received = [*wire.MessageReader(reading).receive()]

    assert received == [{"a": 1}]
