"""The standard streams of the process, kept for the protocol alone: whatever else prints goes to standard error."""

import asyncio
import contextlib
import os
import queue
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["ProtocolInput", "ProtocolOutput", "protocol_streams"]


class ProtocolInput:
    """The lines of a stream, which a thread reads; a task that waits for the next one can be cancelled."""

    def __init__(self, source: BinaryIO) -> None:
        """Read nothing yet."""
        self._source = source
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()

    def __aiter__(self) -> "ProtocolInput":
        loop = asyncio.get_running_loop()

        def read() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the program ends
                with contextlib.suppress(OSError):
                    for line in self._source:
                        loop.call_soon_threadsafe(self._lines.put_nowait, line.decode("utf-8", "replace"))
                loop.call_soon_threadsafe(self._lines.put_nowait, None)

        threading.Thread(target=read, name="input of the protocol", daemon=True).start()
        return self

    async def __anext__(self) -> str:
        line = await self._lines.get()
        if line is None:
            raise StopAsyncIteration
        return line


class ProtocolOutput:
    """A stream to which a thread writes, so that a client that does not read holds up nothing else."""

    def __init__(self, sink: BinaryIO) -> None:
        """Write nothing yet."""
        self._sink = sink
        self._texts: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="output of the protocol", daemon=True)
        self._thread.start()

    async def write(self, text: str) -> None:
        """Write a text soon."""
        self._texts.put(text.encode())

    async def flush(self) -> None:
        """Do nothing: each text is written as soon as possible."""

    def close(self) -> None:
        """Wait until all is written, or nobody reads any more."""
        self._texts.put(None)
        self._thread.join()

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            while (data := self._texts.get()) is not None:
                self._sink.write(data)
                self._sink.flush()


@contextlib.contextmanager
def protocol_streams() -> Iterator[tuple[ProtocolInput, ProtocolOutput]]:
    """Take over standard input and output.

    In the block, others find standard input at its end, and what they print to standard output goes to standard error:
    this process, user code that it loads, and the commands that it starts.
    """
    sys.stdout.flush()
    kept = [os.dup(0), os.dup(1)]
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    try:
        source, sink = open(kept[0], "rb", closefd=False), open(kept[1], "wb", closefd=False)  # noqa: SIM115  # threads may still use them at the end
        yield ProtocolInput(source), ProtocolOutput(sink)
    finally:
        sys.stdout.flush()
        os.dup2(kept[0], 0)
        os.dup2(kept[1], 1)
