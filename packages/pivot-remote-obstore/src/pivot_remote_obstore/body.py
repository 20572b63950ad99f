"""The bytes of one answer, each piece of which has a deadline."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Final

from pivot_remote_obstore.errors import ClientErrors
from pivot_remote_obstore.limits import RequestClock

if TYPE_CHECKING:
    import asyncio

    from obstore import GetResult

_CHUNK: Final = 1 << 17


class AnswerBody:
    """The bytes of an object, or of a part of it.

    Attributes:
        size: The number of bytes of the whole object.
    """

    def __init__(
        self,
        answer: "GetResult",
        part: tuple[int, int | None],
        errors: ClientErrors,
        digest: str | None,
        clock: RequestClock,
    ) -> None:
        """Take an answer.

        Args:
            answer: The answer.
            part: The wanted bytes, from the first to before the last; the answer may have more.
            errors: Maps those of obstore.
            digest: The digest of the object.
            clock: Limits each piece.
        """
        start, stop = part
        self.size: int = answer.meta["size"]
        self._answer = answer
        self._skip = start - answer.range[0]
        self._most = (self.size if stop is None else min(stop, self.size)) - start
        self._errors = errors
        self._digest = digest
        self._clock = clock

    async def __aiter__(self) -> AsyncIterator[bytes]:
        skip, most = self._skip, self._most
        first, last = self._answer.range
        if last - first <= _CHUNK:
            with self._errors.as_remote_errors(self._digest):
                async with self._clock.request(_CHUNK):
                    data = bytes(await self._answer.bytes_async())
            if kept := data[skip : skip + most]:
                yield kept
            return
        pieces = aiter(self._answer.stream(min_chunk_size=_CHUNK))
        while most > 0:
            with self._errors.as_remote_errors(self._digest):
                async with self._clock.request(_CHUNK):
                    piece = await anext(pieces, None)
            if piece is None:
                return
            data = bytes(piece)
            kept = data[skip : skip + most]
            skip = max(0, skip - len(data))
            most -= len(kept)
            if kept:
                yield kept


@contextlib.asynccontextmanager
async def answer_to(
    request: "Callable[[], Awaitable[GetResult]]",
    part: tuple[int, int | None],
    errors: ClientErrors,
    digest: str | None,
    slots: "asyncio.Semaphore",
    clock: RequestClock,
) -> AsyncIterator[AnswerBody]:
    """The bytes of the answer to a request, which has one of the slots until the block ends.

    Args:
        request: Sends the request.
        part: The wanted bytes, from the first to before the last; the answer may have more.
        errors: Maps those of obstore.
        digest: The digest of the object.
        slots: Limits the concurrent requests.
        clock: Limits the request, and each piece of the answer.
    """
    async with slots:
        with errors.as_remote_errors(digest):
            async with clock.request():
                answer = await request()
        yield AnswerBody(answer, part, errors, digest, clock)
