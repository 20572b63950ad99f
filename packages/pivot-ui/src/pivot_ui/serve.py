"""`pivot ui`: serves the page until it is interrupted."""

import asyncio
import secrets

from pivot_cli.apps import UiOptions
from pivot_cli.terminal import console
from pivot_runtime.context import CommandContext
from pivot_ui.export.export import export
from pivot_ui.project import ProjectService
from pivot_ui.server.app import create_app
from pivot_ui.server.listener import HOST, PageServer, open_socket

__all__ = ["serve"]


def serve(context: CommandContext, options: UiOptions) -> int:
    """Serve the page of the command's project, and print its link; or export it.

    Raises:
        PortError: The port is taken.
    """
    if options.export is not None:
        return export(context, options.export)
    service = ProjectService(context.project.root, context.environment, allow_run=options.allow_run)
    with open_socket(options.port) as listening:
        port = listening.getsockname()[1]
        token = secrets.token_urlsafe(32)
        link = f"http://{HOST}:{port}/?token={token}"
        server = PageServer(create_app(service, port, token, console.stage_output), lambda: None)
        console.line(link)
        console.note(f"the page of {context.project.root.name} is open to you alone; Ctrl-C ends it")
        if options.browser:
            _open(link)
        asyncio.run(server.serve(sockets=[listening]))
    console.note("the page is closed")
    return 0


def _open(link: str) -> None:
    """Open the link in a browser, in another thread, as some browsers make their caller wait."""
    import threading  # lazy
    import webbrowser  # lazy

    def work() -> None:
        if not webbrowser.open(link):
            console.note("no browser was found: open the link yourself")

    threading.Thread(target=work, name="browser", daemon=True).start()
