"""The output of a stage goes into its log as it is, and is returned line by line where somebody watches."""

import os
import pathlib
from collections.abc import Iterator

import pytest

from pivot_runtime.history.logs import RunLog
from pivot_runtime.host.stage_process import OutputPipe

OWN_FRAME = '  File "/venv/pivot_runtime/worker/call.py", line 7 in execute'


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe; what is tested owns the first and each test closes the other."""
    yield (fds := os.pipe())
    for fd in fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_output_is_in_the_log_and_returned_by_lines(ends: tuple[int, int], tmp_path: pathlib.Path) -> None:
    pipe = OutputPipe(ends[0], RunLog(str(tmp_path / "log")), stream=True)
    assert pipe.read() == []

    os.write(ends[1], b"one\ntw")
    assert pipe.read() == ["one"]
    os.write(ends[1], b"o\nthree")
    os.close(ends[1])
    assert pipe.read() == ["two"]
    assert pipe.fd is None
    assert pipe.close() == ["three"]
    assert (tmp_path / "log").read_text() == "one\ntwo\nthree"


def test_without_a_stream_there_are_no_lines(ends: tuple[int, int], tmp_path: pathlib.Path) -> None:
    pipe = OutputPipe(ends[0], RunLog(str(tmp_path / "log")), stream=False)
    os.write(ends[1], b"one\ntwo")

    assert pipe.read() == []
    assert pipe.close() == []
    assert (tmp_path / "log").read_text() == "one\ntwo"
    os.close(ends[1])


def test_frames_of_pivot_are_in_the_log_only(ends: tuple[int, int], tmp_path: pathlib.Path) -> None:
    pipe = OutputPipe(ends[0], RunLog(str(tmp_path / "log")), stream=True)
    os.write(ends[1], f"Current thread:\n{OWN_FRAME}\n".encode())
    os.close(ends[1])

    assert pipe.read() == ["Current thread:"]
    assert pipe.close() == []
    assert OWN_FRAME in (tmp_path / "log").read_text()
