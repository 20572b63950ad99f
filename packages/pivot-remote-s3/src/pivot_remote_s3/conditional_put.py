"""Whether a server can be relied on to create objects on condition that nothing is replaced."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from pivot_remote_s3.error_mapping import EXISTS, UNSUPPORTED, code

type Put = Callable[..., Awaitable[Any]]
"""A request that creates an object, with the condition as an argument or without."""


@attrs.define
class Conditions:
    """What a server makes of ``If-None-Match: *``.

    Attributes:
        understood: It is asked for; a server may answer that it cannot do that.
        kept: The server keeps to it, and does not only ignore it: AWS does, others show it by refusing something.
    """

    understood: bool = True
    kept: bool = False

    async def create(self, taken: Callable[[], Awaitable[bool]], put: Put) -> bool:
        """Create an object with ``put`` unless it is there; False if it is.

        Args:
            taken: Whether it is there, which is asked first of a server that might replace it.
            put: Creates it.
        """
        if not self.kept and await taken():
            return False
        if self.understood:
            try:
                await put(IfNoneMatch="*")
            except Exception as error:
                if code(error) in EXISTS:
                    self.kept = True
                    return False
                if code(error) not in UNSUPPORTED:
                    raise
                self.understood = False
            else:
                return True
        if self.kept:
            self.kept = False
            if await taken():
                return False
        await put()
        return True
