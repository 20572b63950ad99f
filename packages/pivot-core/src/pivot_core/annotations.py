"""What a stage's signature says about files: `Dep` and `Out`, to be used inside ``Annotated``."""

import os
from typing import Any

import attrs

from pivot_core.errors import DefinitionError
from pivot_core.loaders import PathOnly, Reader, Writer

type PathLike = str | os.PathLike[str]


def _path_text(value: PathLike) -> str:
    try:
        text = os.fspath(value)
    except TypeError:
        raise DefinitionError(f"a path must be a text or a Path, not {type(value).__name__}") from None
    if not isinstance(text, str):
        raise DefinitionError("a path must be a text or a Path, not bytes")
    return text


@attrs.frozen
class Dep:
    """A file that a stage reads.

    Attributes:
        path: Relative to the directory of the stage's ``pipeline.py``.
        loader: Turns the file into the parameter's value.
    """

    path: str = attrs.field(converter=_path_text)
    loader: Reader[Any] = attrs.field(factory=PathOnly)

    @loader.validator
    def _check(self, _: object, loader: object) -> None:
        if isinstance(loader, type) or not isinstance(loader, Reader):
            raise DefinitionError(
                f"the loader of Dep({self.path!r}) has no method load(path): {_shown(loader)}",
                hint=_call_hint(loader),
            )


@attrs.frozen
class Out:
    """A file that a stage writes.

    Attributes:
        path: Relative to the directory of the stage's ``pipeline.py``.
        loader: Turns the returned value into the file.
    """

    path: str = attrs.field(converter=_path_text)
    loader: Writer[Any] = attrs.field(factory=PathOnly)

    @loader.validator
    def _check(self, _: object, loader: object) -> None:
        if isinstance(loader, type) or not isinstance(loader, Writer):
            raise DefinitionError(
                f"the loader of Out({self.path!r}) has no method save(value, path): {_shown(loader)}",
                hint=_call_hint(loader),
            )


def _shown(loader: object) -> str:
    return f"class {loader.__name__}" if isinstance(loader, type) else type(loader).__name__


def _call_hint(loader: object) -> str:
    if isinstance(loader, type):
        return f"give an instance: {loader.__name__}()"
    return "use one of pivot.loaders, or a class with load(path) and save(value, path)"
