"""Previews of artifacts, and the bytes of images."""

from typing import Any, Final

from pivot_cli.comparing.previews import preview_json
from pivot_cli.pages.charts import chart
from pivot_runtime.errors import HistoryError, RevisionError, UnknownArtifactError
from pivot_runtime.previews.preview import FORMS, WORKSPACE, PlotPreview, PreviewRequest, Window, image, preview
from pivot_ui.api.query import MediaAnswer, Query
from pivot_ui.errors import BadQueryError, NothingThereError
from pivot_ui.project import ProjectService

__all__ = ["read_content", "read_preview"]


_UNKNOWN: Final = (UnknownArtifactError, RevisionError, HistoryError)


def read_preview(service: ProjectService, query: Query) -> dict[str, Any]:
    """Return a bounded part of an artifact, by its kind; a plot has its specification.

    Raises:
        BadQueryError: A parameter is missing or wrong.
        NothingThereError: There is no such artifact or revision.
    """
    request = _request(query)
    try:
        found = preview(service.context(), request)
    except _UNKNOWN as error:
        raise NothingThereError(str(error), hint=error.hint) from None
    plain = preview_json(found)
    if isinstance(found.detail, PlotPreview):
        plot = found.detail
        plain["spec"] = chart(found.path, plot.options, plot.axes, [plot.side])
    return plain


def read_content(service: ProjectService, query: Query) -> MediaAnswer:
    """Return the bytes of an image.

    Raises:
        BadQueryError: A parameter is missing or wrong.
        NothingThereError: There is no such artifact or revision, or no image that is small enough.
    """
    request = _request(query)
    try:
        found = image(service.context(), request)
    except _UNKNOWN as error:
        raise NothingThereError(str(error), hint=error.hint) from None
    if found is None:
        raise NothingThereError(f"there is no image at {request.path!r}, or a large one")
    return MediaAnswer(found.data, found.media)


def _request(query: Query) -> PreviewRequest:
    form = query.text("form", "")
    if form not in FORMS:
        raise BadQueryError(f"the parameter 'form' is none of {', '.join(filter(None, FORMS))}: {form!r}")
    window = Window(query.number("offset", 0), query.number("limit", 50, 1, 200))
    return PreviewRequest(query.text("path"), query.text("side", WORKSPACE), query.text("inside", ""), window, form)
