"""The preview of an artifact on one side: the workspace, the current records, or a git revision."""

from typing import BinaryIO, Final

import attrs

from pivot_core.files.paths import ArtifactPath
from pivot_core.spec import PLOT
from pivot_core.values import Value
from pivot_runtime.comparing import row_files, series
from pivot_runtime.comparing.revisions import WORKSPACE, Revisions
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ContentError, MissingLibraryError
from pivot_runtime.previews import (
    column_files,
    contents,
    directories,
    documents,
    images,
    known_artifacts,
    plots,
    sniff,
    text_tables,
    texts,
)
from pivot_runtime.previews.contents import AbsentContent, FileContent, RecordedDirectory, WorkspaceDirectory
from pivot_runtime.previews.directories import DirectoryPreview
from pivot_runtime.previews.documents import DocumentPreview
from pivot_runtime.previews.images import ImagePreview
from pivot_runtime.previews.known_artifacts import RECORDED, KnownArtifact
from pivot_runtime.previews.plots import PlotPreview
from pivot_runtime.previews.tables import TableColumn, TablePreview, Window
from pivot_runtime.previews.texts import BinaryPreview, TextPreview

__all__ = [
    "FORMS",
    "RECORDED",
    "WORKSPACE",
    "AbsentContent",
    "BinaryPreview",
    "Detail",
    "DirectoryPreview",
    "DocumentPreview",
    "ImageContent",
    "ImagePreview",
    "PlotPreview",
    "Preview",
    "PreviewRequest",
    "TableColumn",
    "TablePreview",
    "TextPreview",
    "TooLarge",
    "Window",
    "image",
    "preview",
]

FORMS: Final = ("", "table", "text")
"""The forms that can be asked for; ``""`` is the one that suits the file."""


@attrs.frozen(eq=False, repr=False)
class TooLarge(Value):
    """A file that is too large for its kind of preview.

    Attributes:
        most: The bytes of the largest one that is shown.
    """

    most: int


type Detail = (
    TablePreview
    | DocumentPreview
    | TextPreview
    | ImagePreview
    | PlotPreview
    | DirectoryPreview
    | BinaryPreview
    | AbsentContent
    | TooLarge
)


@attrs.frozen(eq=False, repr=False)
class Preview(Value):
    """A bounded part of an artifact.

    Attributes:
        path: Its path, relative to the root.
        side: `WORKSPACE`, `RECORDED`, the name of a git revision, or a run such as ``run:12``.
        detail: The part of it, by its kind.
        size: Its bytes; None if they are unknown.
        digest: Its digest; None if it is unknown.
        title: The title of a plot, else the last part of the path.
        problem: The problem with the content; empty if there is none.
        hint: A way to solve that, if there is one.
    """

    path: ArtifactPath
    side: str
    detail: Detail
    size: int | None = None
    digest: str | None = None
    title: str = ""
    problem: str = ""
    hint: str | None = None


@attrs.frozen(eq=False, repr=False)
class ImageContent(Value):
    """The bytes of an image.

    Attributes:
        media: The media type, by the bytes.
        data: The bytes.
    """

    media: str
    data: bytes = attrs.field(repr=False)


@attrs.frozen(eq=False, repr=False)
class PreviewRequest(Value):
    """The artifact, and the part of it, that shall be shown.

    Attributes:
        path: The path of an out, a dep or tracked data, or of a file in one, relative to the root.
        side: `WORKSPACE`, `RECORDED`, a git revision, or a run such as ``run:12``.
        inside: A path in the directory at ``path``; ``""`` for the artifact itself.
        window: The rows or entries to show.
        form: One of `FORMS`.
    """

    path: str
    side: str = WORKSPACE
    inside: str = ""
    window: Window = attrs.field(factory=Window)
    form: str = ""


def preview(context: CommandContext, request: PreviewRequest) -> Preview:
    """A bounded preview of an artifact; content of any kind gives one, with a problem if it is damaged.

    Raises:
        UnknownArtifactError: No stage and no tracked data name the path.
        RevisionError: There is no such revision.
        HistoryError: There is no such run.
        PivotError: Git fails, or the configuration is invalid.
    """
    with Revisions.opened(context) as revisions:
        known = known_artifacts.known(context, revisions, request.path, request.side, request.inside)
        found = Preview(known.path, request.side, texts.binary(b""), title=known.path.rpartition("/")[2])
        try:
            content = contents.find(context, revisions, known)
            return _shown(context, known, content, attrs.evolve(found, digest=content.digest), request)
        except OSError as error:
            return attrs.evolve(found, problem=f"it cannot be read: {error.strerror or error}")


def image(context: CommandContext, request: PreviewRequest) -> ImageContent | None:
    """The bytes of an image, whose kind the bytes decide; None if there is none, or a large one.

    Raises:
        UnknownArtifactError: No stage and no tracked data name the path.
        RevisionError: There is no such revision.
        HistoryError: There is no such run.
        PivotError: Git fails, or the configuration is invalid.
    """
    with Revisions.opened(context) as revisions:
        known = known_artifacts.known(context, revisions, request.path, request.side, request.inside)
        try:
            content = contents.find(context, revisions, known)
            if not isinstance(content, FileContent) or content.size > images.MOST_BYTES:
                return None
            with content.opened() as stream:
                data = stream.read(images.MOST_BYTES + 1)
        except OSError:
            return None
    media = sniff.media_type(known.path, data[: sniff.HEAD])
    return ImageContent(media, data) if media and len(data) <= images.MOST_BYTES else None


def _shown(
    context: CommandContext, known: KnownArtifact, content: contents.Content, found: Preview, request: PreviewRequest
) -> Preview:
    match content:
        case AbsentContent():
            return attrs.evolve(found, detail=content, size=content.size, problem=content.problem)
        case WorkspaceDirectory():
            with content.opened() as descriptor:
                return attrs.evolve(found, detail=directories.of_workspace(descriptor, request.window))
        case RecordedDirectory():
            page = directories.of_tree(content.tree, content.inside, request.window)
            if page is None:
                raise known_artifacts.unknown(known.path)
            return attrs.evolve(found, detail=page, size=content.size)
        case FileContent():
            found = attrs.evolve(found, size=content.size)
            with content.opened() as stream:
                reader = _FileReader(known.path, content, stream, request)
                drawn = reader.plot(context, found) if _is_plot(known) else None
                return drawn or reader.shown(found)


def _is_plot(known: KnownArtifact) -> bool:
    return known.record is not None and known.record.kind == PLOT and not known.inside


class _FileReader:
    """An open file whose preview is made."""

    def __init__(self, path: ArtifactPath, content: FileContent, stream: BinaryIO, request: PreviewRequest) -> None:
        self._path = path
        self._content = content
        self._stream = stream
        self._request = request
        self._head = stream.read(sniff.HEAD)
        self._kind = "text" if request.form == "text" else sniff.kind_of(path, self._head)

    def plot(self, context: CommandContext, found: Preview) -> Preview | None:
        """The plot in the file; None if it cannot be drawn, or something else is wanted."""
        if self._request.form or self._kind not in ("table", "document"):
            return None
        options = plots.declared(context, self._path)
        try:
            detail = plots.read(self._rewound(), self._path, self._request.side, options)
        except ContentError:
            return None
        return attrs.evolve(found, detail=detail, title=options.title or found.title)

    def shown(self, found: Preview) -> Preview:
        """The file in the form that suits it; as a text, with the problem, if that is not possible."""
        try:
            return attrs.evolve(found, detail=self._detail())
        except (ContentError, MissingLibraryError) as error:
            detail = texts.text_or_bytes(self._rewound())
            return attrs.evolve(found, detail=detail, problem=str(error), hint=error.hint)

    def _detail(self) -> Detail:
        match self._kind:
            case "image":
                large = self._content.size > images.MOST_BYTES
                return TooLarge(images.MOST_BYTES) if large else images.described(self._path, self._head)
            case "table":
                return self._table()
            case "document" if self._request.form == "table":
                return text_tables.page_of(plots.rows_in(self._rewound(), self._path), self._request.window)
            case "document":
                return documents.read(self._rewound(), self._path)
            case "binary":
                return texts.binary(self._head)
        return texts.text_or_bytes(self._rewound())

    def _table(self) -> TablePreview:
        suffix, window = series.suffix(self._path), self._request.window
        match sniff.columnar(self._path, self._head):
            case "parquet":
                return column_files.read_parquet(self._rewound(), window)
            case "arrow":
                return column_files.read_arrow(self._rewound(), self._content.size, window)
        if suffix in row_files.LINES:
            return text_tables.read_lines(self._rewound(), window)
        return text_tables.read_separated(self._rewound(), suffix, window)

    def _rewound(self) -> BinaryIO:
        self._stream.seek(0)
        return self._stream
