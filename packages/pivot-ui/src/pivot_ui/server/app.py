"""The app: files of the page, answers of `pivot_ui.api`, events, and actions."""

import functools
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from pivot_ui.api.query import MediaAnswer, Query
from pivot_ui.api.routes import READERS, Reader
from pivot_ui.live.hub import EventHub
from pivot_ui.live.page_command import PageCommand
from pivot_ui.project import ProjectService
from pivot_ui.server.actions import ACTIONS, Action, Hands, parse_body
from pivot_ui.server.answers import Report, error_response, json_response
from pivot_ui.server.event_stream import event_stream, follow_hub
from pivot_ui.server.gate import Entrance, Gate
from pivot_ui.server.page_files import PageFiles
from pivot_ui.server.streams import STREAMS, Stream
from pivot_ui.server.threads import ThreadTurns

__all__ = ["create_app"]

_SANDBOX: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""The policy of files of the project: an image that has scripts, as SVG may, runs none."""


class PageAnswers:
    """The answers of one server."""

    def __init__(self, service: ProjectService, hub: EventHub, command: PageCommand, report: Report) -> None:
        """Answer for a project; ``report`` gets the tracebacks of bugs."""
        self._service = service
        self._hub = hub
        self._hands = Hands(service, command)
        self._report = report
        self._turns = ThreadTurns()

    async def read(self, reader: Reader, request: Request) -> Response:
        """Answer a question in a thread."""
        return await self._turns.call(functools.partial(self._read, reader, request))

    async def stream(self, stream: Stream, request: Request) -> Response:
        """Answer with a stream of events."""
        return await event_stream(stream(self._service, Query(dict(request.query_params))), self._report)

    async def events(self, _: Request) -> Response:
        """Answer with all that changes from now on."""
        return await event_stream(follow_hub(self._hub), self._report)

    async def act(self, action: Action, request: Request) -> Response:
        """Do something in a thread."""
        body = await request.body()
        return await self._turns.call(functools.partial(self._act, action, body))

    def _read(self, reader: Reader, request: Request) -> Response:
        try:
            found = reader(self._service, Query(dict(request.query_params)))
            if isinstance(found, MediaAnswer):
                headers = {"Content-Security-Policy": _SANDBOX, "Content-Disposition": "inline"}
                return Response(found.data, media_type=found.media, headers=headers)
            return json_response(found)
        except Exception as error:  # noqa: BLE001  # each becomes an answer
            return error_response(error, self._report)

    def _act(self, action: Action, body: bytes) -> Response:
        try:
            return json_response(action(self._hands, parse_body(body)))
        except Exception as error:  # noqa: BLE001  # each becomes an answer
            return error_response(error, self._report)


def create_app(
    service: ProjectService, hub: EventHub, command: PageCommand, entrance: Entrance, report: Report
) -> ASGIApp:
    """Return the app of a project.

    Args:
        service: The project.
        hub: The hub that its followers tell.
        command: The command that the page starts.
        entrance: Where it is served, and what opens it.
        report: Called with the traceback of an error that is a bug.
    """
    files, answers = PageFiles(), PageAnswers(service, hub, command, report)
    routes = [
        *(Route(f"/api/{name}", functools.partial(answers.read, reader)) for name, reader in READERS.items()),
        *(Route(f"/api/{name}", functools.partial(answers.stream, stream)) for name, stream in STREAMS.items()),
        *(Route(f"/api/{name}", functools.partial(answers.act, do), methods=["POST"]) for name, do in ACTIONS.items()),
        Route("/api/events", answers.events),
        Route("/api/{name:path}", _no_such_question, methods=["GET", "POST"]),
        Route("/", files.answer),
        Route("/{name:path}", files.answer),
    ]
    return Gate(Starlette(routes=routes), entrance)


async def _no_such_question(_: Request) -> Response:
    return json_response({"error": "there is no such question", "hint": None}, 404)
