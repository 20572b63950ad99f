"""`pivot ui`: serves the page until it is interrupted."""

import asyncio
import secrets
import threading
from collections.abc import Mapping
from typing import Final

from pivot_cli.apps import UiOptions
from pivot_cli.terminal import console
from pivot_runtime.context import CommandContext
from pivot_ui.browser import no_browser_reason, open_link
from pivot_ui.export.export import export
from pivot_ui.live.follower import ProjectFollower
from pivot_ui.live.hub import EventHub
from pivot_ui.live.page_command import PageCommand
from pivot_ui.project import ProjectService
from pivot_ui.server.app import create_app
from pivot_ui.server.gate import Entrance
from pivot_ui.server.listener import HOST, PageServer, open_socket
from pivot_ui.server.one_time_code import OneTimeCode

__all__ = ["serve"]

_USED_TWICE: Final = (
    "the link that the browser got was used twice: unless both times were yours, somebody else sees the page; "
    "Ctrl-C ends it"
)


def serve(context: CommandContext, options: UiOptions) -> int:
    """Serve the page of the command's project, and print its link; or export it.

    Raises:
        PortError: The port is taken.
        ExportError: The files cannot be written.
    """
    if options.export is not None:
        return export(context, options.export)
    service = ProjectService(context.project.root, context.environment, allow_run=options.allow_run)
    hub = EventHub()
    command, follower = PageCommand(service, hub), ProjectFollower(service, hub, console.warning)
    with open_socket(options.port) as listening:
        port = listening.getsockname()[1]
        token = secrets.token_urlsafe(32)
        code = OneTimeCode(lambda: console.warning(_USED_TWICE))
        app = create_app(service, hub, command, Entrance(port, token, code), console.stage_output)
        address = f"http://{HOST}:{port}/"
        server = PageServer(app, hub.close)
        try:
            with server.capture_signals():  # from the link on, Ctrl-C is the way to end it
                console.line(f"{address}?token={token}")
                console.note(f"the page of {context.project.root.name} is open to you alone; Ctrl-C ends it")
                if options.browser:
                    _open(f"{address}?once={code.text}", port, context.environment)
                follower.start()
                asyncio.run(server.serve(sockets=[listening]))
        finally:
            follower.close()
            command.close()
    console.note("the page is closed")
    return 0


def _open(link: str, port: int, environment: Mapping[str, str]) -> None:
    """Open a link in a browser, which may keep its caller waiting, or say why that is left to the user."""
    reason = no_browser_reason(environment)
    if reason == "over SSH":
        command = f"ssh -L {port}:localhost:{port} HOST"
        console.note(f"over SSH no browser is started: run '{command}' on your own machine, and open the link there")
    elif reason is not None:
        console.note(f"no browser is started {reason}: open the link yourself")
    else:
        threading.Thread(target=_open_in_browser, args=(link, environment), name="browser", daemon=True).start()


def _open_in_browser(link: str, environment: Mapping[str, str]) -> None:
    if not open_link(link, environment):
        console.note("no browser was found: open the link yourself")
