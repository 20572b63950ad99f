"""Downloads of one URL by several commands at once."""

import fcntl
import os
from typing import Any

import pytest

from pivot_cache.errors import CacheError
from pivot_cache.formats.data_source import UrlState
from pivot_cache.remotes.url_reader import PartialDownload
from pivot_runtime.artifacts.stores import open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.external.download import download


class Reader:
    """A server that sends these bytes."""

    name = "https://example.org/data"

    async def state(self) -> UrlState:
        return UrlState(etag="1")

    async def download(self, target: PartialDownload) -> None:
        target.begin(UrlState(etag="1"), 0)
        target.write(b"content")


def test_a_file_that_another_command_removes_before_it_is_locked_is_not_used(
    context: CommandContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one ends its download after the file is opened: its removed file would be lost with its bytes."""
    flock = fcntl.flock
    with open_stores(context) as stores:
        partial = stores.layout.partial_download(Reader.name)
        rest: list[Any] = [lambda: None, lambda: partial.write_bytes(b"of a third command")]

        def late(file: Any, operation: int) -> None:
            if rest:
                partial.unlink()
                rest.pop()()
            flock(file, operation)

        with monkeypatch.context() as patch:
            patch.setattr(fcntl, "flock", late)
            artifact, state = download(Reader(), stores)
        assert (rest, state) == ([], UrlState(etag="1"))
        assert stores.store.path_of(artifact.digest).read_bytes() == b"content"
        assert os.listdir(partial.parent) == []

        with open(partial, "ab") as other:
            flock(other, fcntl.LOCK_EX)
            with pytest.raises(CacheError, match="another command downloads "):
                download(Reader(), stores)
