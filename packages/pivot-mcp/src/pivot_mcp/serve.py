"""`pivot mcp`: answers requests until its input ends."""

import asyncio
import signal
from importlib.metadata import version
from typing import Any, cast

from mcp.server.stdio import stdio_server

from pivot_cli.apps import McpOptions
from pivot_cli.signals import Terminated
from pivot_mcp.project import ServedProject
from pivot_mcp.server import create_server
from pivot_mcp.streams import ProtocolInput, ProtocolOutput, protocol_streams
from pivot_runtime.context import CommandContext

__all__ = ["serve"]


def serve(context: CommandContext, options: McpOptions) -> int:
    """Answer requests about the command's project on standard input, until that ends.

    Raises:
        KeyboardInterrupt: A signal has ended it.
    """
    project = ServedProject(context.project.root, context.environment, allow_run=options.allow_run)
    with protocol_streams() as (source, sink):
        number = asyncio.run(_until_signal(project, source, sink))
        if number == 0:
            sink.close()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    if number:
        raise Terminated(number)
    return 0


async def _until_signal(project: ServedProject, source: ProtocolInput, sink: ProtocolOutput) -> int:
    """Answer requests; return the signal that has ended that, or 0 if the input has."""
    received: list[int] = []
    answering = asyncio.ensure_future(_answer(project, source, sink))

    def end(number: int) -> None:
        received.append(number)
        answering.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end, number)
    try:
        await answering
    except asyncio.CancelledError:
        if not received:
            raise
    return received[0] if received else 0


async def _answer(project: ServedProject, source: ProtocolInput, sink: ProtocolOutput) -> None:
    # MCPServer has no method that takes streams, and its own ones cannot be interrupted while they wait.
    server = create_server(project, version("pivot-mcp"))._lowlevel_server  # noqa: SLF001
    async with stdio_server(cast("Any", source), cast("Any", sink)) as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
