"""Git's objects, read through one process: commits, trees and the content of files, without a checkout."""

import contextlib
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Final

from pivot_runtime.errors import GitError, GitObjectMissingError
from pivot_runtime.git import calls

TREE: Final = b"40000"
LINK: Final = b"120000"
MODULE: Final = b"160000"


class GitObjects:
    """A process that answers with the objects of a repository; use `opened`."""

    def __init__(self, process: "subprocess.Popen[bytes]", errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors

    @classmethod
    @contextlib.contextmanager
    def opened(cls, directory: pathlib.Path, flags: tuple[str, ...] = ()) -> "Iterator[GitObjects]":
        """Start the process in a directory, with the flags that select another repository.

        Raises:
            GitError: Git cannot be started.
        """
        with tempfile.TemporaryFile() as errors:
            process = started(lambda: calls.start(directory, *flags, "cat-file", "--batch", stderr=errors))
            try:
                yield cls(process, errors)
            finally:
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        with contextlib.suppress(OSError):
                            stream.close()
                process.wait()

    def get(self, name: str) -> tuple[str, str, bytes]:
        """The id, kind and content of a named object.

        Raises:
            GitError: There is no such object.
        """
        asked, answers = self._process.stdin, self._process.stdout
        if asked is None or answers is None:
            raise GitError("git cat-file has no streams")
        try:
            asked.write(os.fsencode(f"{name}\n"))
            asked.flush()
            head = answers.readline().split()
            if head[-1:] == [b"missing"]:
                raise GitObjectMissingError(
                    f"git does not have {name}", hint="nothing was removed: see 'git fsck', or fetch what is missing"
                )
            if len(head) != 3:  # noqa: PLR2004 - id, kind, size
                raise failed("cat-file", self._said() or f"object {name} is missing")
            oid, kind, size = head[0].decode(), head[1].decode(), int(head[2])
            data = answers.read(size + 1)
        except OSError:
            raise failed("cat-file", self._said()) from None
        if len(data) != size + 1:
            raise failed("cat-file", self._said() or f"object {name} is cut short")
        return oid, kind, data[:-1]

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")


def entries(data: bytes, length: int) -> Iterator[tuple[bytes, str, str]]:
    """The mode, name and id of every entry of a tree."""
    start = 0
    while start < len(data):
        space = data.index(b" ", start)
        end = data.index(b"\0", space)
        yield data[start:space], os.fsdecode(data[space + 1 : end]), data[end + 1 : end + 1 + length].hex()
        start = end + 1 + length


def started[T](start: Callable[[], T]) -> T:
    """The result of a function that starts git.

    Raises:
        GitError: Git cannot be started.
    """
    try:
        return start()
    except OSError as error:
        raise GitError(
            f"cannot run git: {error.strerror}",
            hint="install git: without it, the needs of this repository's branches are unknown",
        ) from None


def failed(command: str, errors: str) -> GitError:
    """The error of a git command with these messages."""
    lines = errors.strip().splitlines()
    return GitError(
        f"git {command} failed: {lines[-1] if lines else 'no message'}",
        hint="nothing was removed, since it may be needed; see 'git fsck'",
    )
