"""`pivot ui`: serves the page until it is interrupted."""

import asyncio
import secrets
import threading
import webbrowser

from pivot_cli.apps import UiOptions
from pivot_cli.terminal import console
from pivot_runtime.context import CommandContext
from pivot_ui.export.export import export
from pivot_ui.live.follower import ProjectFollower
from pivot_ui.live.hub import EventHub
from pivot_ui.live.page_command import PageCommand
from pivot_ui.project import ProjectService
from pivot_ui.server.app import create_app
from pivot_ui.server.listener import HOST, PageServer, open_socket

__all__ = ["serve"]


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
    command, follower = PageCommand(service, hub), ProjectFollower(service, hub)
    with open_socket(options.port) as listening:
        port = listening.getsockname()[1]
        token = secrets.token_urlsafe(32)
        app = create_app(service, hub, command, port=port, token=token, report=console.stage_output)
        link = f"http://{HOST}:{port}/?token={token}"
        server = PageServer(app, hub.close)
        console.line(link)
        console.note(f"the page of {context.project.root.name} is open to you alone; Ctrl-C ends it")
        if options.browser:
            threading.Thread(target=_open, args=(link,), name="browser", daemon=True).start()
        follower.start()
        try:
            asyncio.run(server.serve(sockets=[listening]))
        finally:
            follower.close()
            command.close()
    console.note("the page is closed")
    return 0


def _open(link: str) -> None:
    """Open the link in a browser; some browsers keep their caller waiting."""
    if not webbrowser.open(link):
        console.note("no browser was found: open the link yourself")
