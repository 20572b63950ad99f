"""Credentials that a program or another server has: they are waited for, but not without end.

The SDK asks for them before a request, with limits of its own: minutes for a server, none for a program.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Any, Final

from botocore.exceptions import CredentialRetrievalError, UnknownCredentialError

from pivot_remote_s3.limits import Limits
from pivot_remote_s3.silence import Watch

_PROGRAM: Final = "custom-process"
_WHAT: Final = "the credentials of AWS"


def end_with(stack: contextlib.AsyncExitStack, session: Any) -> None:
    """Let the program that a profile names end at the end of ``stack``, whatever it is waiting for."""
    with contextlib.suppress(UnknownCredentialError):
        provider = session.get_component("credential_provider").get_provider(_PROGRAM)
        provider._popen = functools.partial(_started, stack)  # noqa: SLF001 - what it starts has no other end


async def _started(stack: contextlib.AsyncExitStack, *command: str, **options: Any) -> asyncio.subprocess.Process:
    program = await asyncio.create_subprocess_exec(*command, **options)

    async def end() -> None:
        if program.returncode is None:
            program._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - kills it, and closes its pipes
            await program.wait()

    stack.push_async_callback(end)
    return program


@contextlib.asynccontextmanager
async def awaited(limits: Limits, watch: Watch) -> AsyncIterator[None]:
    """A block in which they may be asked for.

    Raises:
        CredentialRetrievalError: They do not come.
    """
    watch.begin(_WHAT)
    try:
        async with asyncio.timeout(limits.signing_in):
            yield
    except TimeoutError:
        raise CredentialRetrievalError(provider=_PROGRAM, error_msg="it does not end") from None
    finally:
        watch.end()
