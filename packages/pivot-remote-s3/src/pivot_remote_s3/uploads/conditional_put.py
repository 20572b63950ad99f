"""Creation of objects that never replaces one, on servers that support conditional requests and on others."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from pivot_remote_s3.errors import EXISTS, UNSUPPORTED, code

type Put = Callable[..., Awaitable[Any]]
"""A request that creates an object; it takes the condition as an argument, or none."""


@attrs.define
class ConditionalPut:
    """Creates objects with ``If-None-Match: *``, and learns how the server treats it.

    Attributes:
        supported: The server has not refused the condition as unknown.
        enforced: The server does not merely ignore it: AWS enforces it, others show that when they refuse a request.
    """

    supported: bool = True
    enforced: bool = False

    async def create(self, exists: Callable[[], Awaitable[bool]], put: Put) -> bool:
        """Create an object with ``put`` unless it exists; return whether it did not.

        Args:
            exists: Asks whether it exists, first of all if the server might replace it.
            put: Creates it.
        """
        if not self.enforced and await exists():
            return False
        if self.supported:
            try:
                await put(IfNoneMatch="*")
            except Exception as error:
                if code(error) in EXISTS:
                    self.enforced = True
                    return False
                if code(error) not in UNSUPPORTED:
                    raise
                self.supported = False
            else:
                return True
        if self.enforced:
            self.enforced = False
            if await exists():
                return False
        await put()
        return True
