"""Server-sent events."""

from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from pivot_ui.live.hub import EventHub
from pivot_ui.server.answers import Report, error_response, json_text

__all__ = ["HEARTBEAT_S", "event_stream", "follow_hub"]

HEARTBEAT_S: Final = 15.0


async def event_stream(events: AsyncIterator[tuple[str, Any] | None], report: Report) -> Response:
    """Return events as a stream, with a comment in place of None; an error before the first one is the answer."""
    try:
        first = await anext(events, None)
    except Exception as error:  # noqa: BLE001  # each becomes an answer
        return error_response(error, report)

    async def lines() -> AsyncIterator[str]:
        yield _text(first)
        async for each in events:
            yield _text(each)

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def follow_hub(hub: EventHub) -> AsyncIterator[tuple[str, Any] | None]:
    """Yield the events of a hub until it is closed; a comment first, which says that the server is there."""
    yield None
    async for each in hub.events(HEARTBEAT_S):
        yield each


def _text(event: tuple[str, Any] | None) -> str:
    return ": \n\n" if event is None else f"event: {event[0]}\ndata: {json_text(event[1])}\n\n"
