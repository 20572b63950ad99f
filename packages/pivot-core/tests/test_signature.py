"""Declarations in signatures, and the errors for every signature that leaves something open.

Each case is the text of a module, so that it reads as a user would write it; each is tried
with and without ``from __future__ import annotations``.
"""

import importlib.util
import pathlib
import sys
import textwrap
from collections.abc import Callable
from types import ModuleType

import pytest

from pivot_core.errors import DefinitionError
from pivot_core.loaders import CSV, JSON, PathOnly, Text
from pivot_core.pipeline import Pipeline
from pivot_core.spec import StageError
from pivot_core.stages.annotations import Dep, Out
from pivot_core.stages.stage import Stage

PRELUDE = """\
import asyncio, contextlib, functools
from collections.abc import Callable
from typing import Annotated, Any, NotRequired, ReadOnly, Required, TypedDict, Unpack
from pivot_core.stages.annotations import Dep, Out
from pivot_core.loaders import CSV, JSON, PathOnly, Text
"""
FUTURE = "from __future__ import annotations\n"

type Define = Callable[[str], ModuleType]


@pytest.fixture(params=["", FUTURE], ids=["plain", "future"])
def define(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Define:
    """Import a module with the given text after the prelude."""

    def import_text(source: str) -> ModuleType:
        file = tmp_path / "pipeline.py"
        file.write_text(request.param + PRELUDE + textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location("pipeline", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "pipeline", module)
        spec.loader.exec_module(module)
        return module

    return import_text


def register(module: ModuleType) -> Stage:
    pipeline = Pipeline("p")
    pipeline.register(module.stage, name="stage")
    return pipeline.stages["stage"]


def line_of(module: ModuleType, mark: str) -> int:
    """The line that begins with a text, in the module's file."""
    assert module.__file__ is not None
    lines = pathlib.Path(module.__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if line.lstrip().startswith(mark))


# -- what is understood


@pytest.mark.parametrize(
    ("source", "deps"),
    [
        pytest.param("def stage() -> None: ...", {}, id="no parameters"),
        pytest.param(
            "def stage(raw: Annotated[dict, Dep('a.json', JSON())]) -> None: ...",
            {"raw": Dep("a.json", JSON())},
            id="one dep",
        ),
        pytest.param(
            "def stage(a: Annotated[Any, Dep('a')], n: int = 3, *, b: Annotated[Any, Dep('b')]) -> None: ...",
            {"a": Dep("a"), "b": Dep("b")},
            id="deps and a default",
        ),
        pytest.param(
            "def stage(a: Annotated[Any, 'a note', Dep('a'), 7]) -> None: ...",
            {"a": Dep("a")},
            id="other metadata are left to others",
        ),
        pytest.param("def stage(*args: int, **kwargs: int) -> None: ...", {}, id="variadic parameters"),
        pytest.param(
            """
            type Raw = Annotated[dict, Dep('a.json', JSON())]
            def stage(raw: Raw) -> None: ...
            """,
            {"raw": Dep("a.json", JSON())},
            id="a type alias",
        ),
        pytest.param(
            """
            type Loaded[T] = Annotated[T, Dep('a.json', JSON())]
            def stage(raw: Loaded[dict]) -> None: ...
            """,
            {"raw": Dep("a.json", JSON())},
            id="a generic type alias",
        ),
        pytest.param(
            "def stage(raw: Annotated[Annotated[dict, 'a note'], Dep('a')]) -> None: ...",
            {"raw": Dep("a")},
            id="Annotated in Annotated",
        ),
        pytest.param(
            "def stage(raw: Annotated[Any, Dep('a', CSV(dtype={'x': 'int64'}))]) -> None: ...",
            {"raw": Dep("a", CSV(dtype={"x": "int64"}))},
            id="a loader that cannot be hashed",
        ),
        pytest.param(
            "def stage(raw: Annotated[dict | None, Dep('a')] = None) -> None: ...",
            {"raw": Dep("a")},
            id="a dep with a default is still a dep",
        ),
        pytest.param(
            """
            def inner(raw: Annotated[dict, Dep('a')], factor: int) -> None: ...
            stage = functools.partial(inner, factor=3)
            """,
            {"raw": Dep("a")},
            id="a partial",
        ),
        pytest.param(
            """
            def inner(factor: int, raw: Annotated[dict, Dep('a')]) -> None: ...
            stage = functools.partial(functools.partial(inner), 3)
            """,
            {"raw": Dep("a")},
            id="a partial by position",
        ),
        pytest.param(
            """
            class Cleaner:
                def clean(self, raw: Annotated[dict, Dep('a')]) -> None: ...
            stage = Cleaner().clean
            """,
            {"raw": Dep("a")},
            id="a bound method",
        ),
        pytest.param(
            """
            class Cleaner:
                def __call__(self, raw: Annotated[dict, Dep('a')]) -> None: ...
            stage = Cleaner()
            """,
            {"raw": Dep("a")},
            id="a callable instance",
        ),
        pytest.param(
            """
            def logged(func):
                @functools.wraps(func)
                def wrapper(*args, **kwargs):
                    return func(*args, **kwargs)
                return wrapper
            @logged
            def stage(raw: Annotated[dict, Dep('a')]) -> None: ...
            """,
            {"raw": Dep("a")},
            id="a decorated function",
        ),
        pytest.param(
            """
            class logged:
                def __init__(self, func):
                    functools.update_wrapper(self, func)
                def __call__(self, *args, **kwargs):
                    return self.__wrapped__(*args, **kwargs)
            @logged
            def stage(raw: Annotated[dict, Dep('a')]) -> None: ...
            """,
            {"raw": Dep("a")},
            id="a function under a decorator that is a class",
        ),
        pytest.param(
            """
            def blocking(func):
                @functools.wraps(func)
                def wrapper(*args, **kwargs):
                    return asyncio.run(func(*args, **kwargs))
                return wrapper
            @blocking
            async def stage(raw: Annotated[dict, Dep('a')]) -> None: ...
            """,
            {"raw": Dep("a")},
            id="an async function made plain by its decorator",
        ),
        pytest.param(
            """
            class Odd:
                def __eq__(self, other): raise ValueError("ambiguous")
            type Plain = Annotated[int, Odd()]
            def stage(raw: Annotated[Any, Dep('a')], n: tuple[Annotated[int, Odd()], Plain] = (1, 2)) -> None: ...
            """,
            {"raw": Dep("a")},
            id="metadata that cannot be compared",
        ),
        pytest.param(
            """
            type Plain = list[Plain] | int
            def stage(raw: Annotated[Plain, Dep('a')], depth: Plain = 1) -> None: ...
            """,
            {"raw": Dep("a")},
            id="a recursive type alias",
        ),
    ],
)
def test_deps(define: Define, source: str, deps: dict[str, Dep]) -> None:
    assert register(define(source)).deps == deps


@pytest.mark.parametrize(
    ("source", "outs", "single"),
    [
        pytest.param("def stage() -> None: ...", {}, False, id="nothing is written"),
        pytest.param(
            "def stage() -> Annotated[str, Out('a.txt', Text())]: ...",
            {"return": Out("a.txt", Text())},
            True,
            id="a single out",
        ),
        pytest.param(
            """
            type Report = Annotated[str, Out('a.txt', Text())]
            def stage() -> Report: ...
            """,
            {"return": Out("a.txt", Text())},
            True,
            id="a single out behind a type alias",
        ),
        pytest.param(
            """
            class Outs(TypedDict):
                b: Annotated[str, Out('b')]
                a: Annotated[str, Out('a')]
            def stage() -> Outs: ...
            """,
            {"b": Out("b"), "a": Out("a")},
            False,
            id="several outs",
        ),
        pytest.param(
            """
            class Outs(TypedDict):
                a: Annotated[str, Out('a')]
            def stage() -> Outs: ...
            """,
            {"a": Out("a")},
            False,
            id="one key keeps its shape",
        ),
        pytest.param(
            """
            class Base(TypedDict):
                a: Annotated[str, Out('a')]
            class Outs(Base):
                b: Annotated[str, Out('b')]
            def stage() -> Outs: ...
            """,
            {"a": Out("a"), "b": Out("b")},
            False,
            id="inherited keys",
        ),
        pytest.param(
            """
            class Outs(TypedDict, total=False):
                a: Required[Annotated[str, Out('a')]]
                b: Annotated[Required[str], Out('b')]
                c: ReadOnly[Required[Annotated[str, Out('c')]]]
            def stage() -> Outs: ...
            """,
            {"a": Out("a"), "b": Out("b"), "c": Out("c")},
            False,
            id="required keys",
        ),
        pytest.param(
            """
            class Outs(TypedDict):
                a: Annotated[str, Out('a')]
            type Alias = Outs
            def stage() -> Annotated[Alias, 'a note']: ...
            """,
            {"a": Out("a")},
            False,
            id="a TypedDict behind an alias",
        ),
        pytest.param(
            """
            class Outs[T](TypedDict):
                a: Annotated[T, Out('a')]
            def stage() -> Outs[int]: ...
            """,
            {"a": Out("a")},
            False,
            id="a generic TypedDict",
        ),
        pytest.param(
            """
            Outs = TypedDict("Outs", {"clean data": Annotated[str, Out('a')]})
            def stage() -> Outs: ...
            """,
            {"clean data": Out("a")},
            False,
            id="a key that is no identifier",
        ),
    ],
)
def test_outs(define: Define, source: str, outs: dict[str, Out], single: bool) -> None:
    stage = register(define(source))

    assert (stage.outs, stage.single) == (outs, single)
    assert list(stage.outs) == list(outs)


# -- what is refused

DEFAULT_OUT = "Annotated[..., pivot.Out"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        pytest.param(
            "def stage(raw) -> None: ...",
            "parameter 'raw' has neither a Dep nor a default",
            id="bare parameter",
        ),
        pytest.param(
            "def stage(raw: dict) -> None: ...",
            "parameter 'raw' has neither a Dep nor a default",
            id="parameter with a plain type",
        ),
        pytest.param(
            "def stage(raw: Annotated[dict, Out('a')]) -> None: ...",
            "parameter 'raw' is annotated with an Out; parameters are inputs, so they take a Dep",
            id="Out on a parameter",
        ),
        pytest.param(
            "def stage(raw: Annotated[dict, Dep('a'), Dep('b')]) -> None: ...",
            "parameter 'raw' has more than one Dep or Out",
            id="two Deps on a parameter",
        ),
        pytest.param(
            "def stage(raw: Annotated[dict, Dep('a')], /) -> None: ...",
            "parameter 'raw' has a Dep but cannot be passed by name",
            id="positional-only parameter",
        ),
        pytest.param(
            "def stage(*raw: Annotated[dict, Dep('a')]) -> None: ...",
            "parameter 'raw' has a Dep but cannot be passed by name",
            id="variadic parameter",
        ),
        pytest.param(
            "def stage(raw: Annotated[dict, Dep('a')] | None = None) -> None: ...",
            "parameter 'raw' has a Dep or Out inside another type, where it has no effect",
            id="Dep inside a union",
        ),
        pytest.param(
            "def stage(raw: list[tuple[Annotated[dict, Dep('a')], int]] = ()) -> None: ...",
            "parameter 'raw' has a Dep or Out inside another type, where it has no effect",
            id="Dep inside a list",
        ),
        pytest.param(
            "def stage(raw: Callable[[Annotated[dict, Dep('a')]], int] = print) -> None: ...",
            "parameter 'raw' has a Dep or Out inside another type, where it has no effect",
            id="Dep inside a callable",
        ),
        pytest.param(
            """
            type Raw[T] = Annotated[T, Dep('a')]
            def stage(raw: Raw[dict] | None = None) -> None: ...
            """,
            "parameter 'raw' has a Dep or Out inside another type, where it has no effect",
            id="Dep behind an alias inside a union",
        ),
        pytest.param(
            """
            class Deps(TypedDict):
                raw: Annotated[dict, Dep('a')]
            def stage(**deps: Unpack[Deps]) -> None: ...
            """,
            "parameter 'deps' has a Dep or Out inside another type, where it has no effect",
            id="Deps as keywords",
        ),
        pytest.param("def stage(): ...", "its return type is not annotated", id="no return annotation"),
        pytest.param("def stage() -> int: ...", "its return type int declares no Out", id="plain return type"),
        pytest.param(
            "def stage() -> list[int]: ...", "its return type list[int] declares no Out", id="generic return type"
        ),
        pytest.param(
            "def stage() -> Annotated[dict, Dep('a')]: ...",
            "the return type is annotated with a Dep; returned values are outs, so they take an Out",
            id="Dep in the return type",
        ),
        pytest.param(
            "def stage() -> Annotated[dict, Out('a'), Out('b')]: ...",
            "the return type has more than one Out",
            id="two Outs of one value",
        ),
        pytest.param(
            "def stage() -> Annotated[dict, Out('a')] | None: ...",
            "declares no Out",
            id="Out inside a union",
        ),
        pytest.param(
            """
            class Outs(TypedDict):
                a: Annotated[str, Out('a')]
                b: str
                c: int
            def stage() -> Outs: ...
            """,
            "Outs: 'b', 'c' without an Out, while the other keys have one",
            id="partially annotated TypedDict",
        ),
        pytest.param(
            """
            class Outs(TypedDict):
                a: str
            def stage() -> Outs: ...
            """,
            "Outs: none of its keys has an Out",
            id="TypedDict without an Out",
        ),
        pytest.param(
            """
            class Outs(TypedDict):
                pass
            def stage() -> Outs: ...
            """,
            "Outs has no keys",
            id="empty TypedDict",
        ),
        pytest.param(
            """
            class Outs(TypedDict):
                a: Annotated[str, Dep('a')]
            def stage() -> Outs: ...
            """,
            "key 'a' of Outs is annotated with a Dep",
            id="Dep in a TypedDict",
        ),
        pytest.param(
            """
            class Outs(TypedDict):
                a: NotRequired[Annotated[str, Out('a')]]
                b: Annotated[str, Out('b')]
            def stage() -> Outs: ...
            """,
            "Outs: 'a' is optional, but a stage must write all its outs",
            id="key that may be left out",
        ),
        pytest.param(
            """
            class Outs(TypedDict, total=False):
                b: Annotated[str, Out('b')]
                a: Annotated[str, Out('a')]
                c: Required[Annotated[str, Out('c')]]
            def stage() -> Outs: ...
            """,
            "Outs: 'b', 'a' is optional, but a stage must write all its outs",
            id="keys that may be left out",
        ),
        pytest.param("async def stage() -> None: ...", "a stage cannot be an async function", id="async function"),
        pytest.param(
            """
            async def stage() -> None:
                yield
            """,
            "a stage cannot be an async function",
            id="async generator",
        ),
        pytest.param(
            """
            def stage() -> None:
                yield
            """,
            "a stage cannot be a generator",
            id="generator",
        ),
        pytest.param(
            """
            class Cleaner:
                async def __call__(self) -> None: ...
            stage = functools.partial(Cleaner().__call__)
            """,
            "a stage cannot be an async function",
            id="async method under a partial",
        ),
        pytest.param(
            """
            class Cleaner:
                async def __call__(self) -> None: ...
            stage = Cleaner()
            """,
            "a stage cannot be an async function",
            id="async callable instance",
        ),
        pytest.param(
            "def stage(raw: 'Missing') -> None: ...",
            "its type hints name 'Missing', which is not defined",
            id="undefined name in a hint",
        ),
        pytest.param(
            """
            class Outs(TypedDict):
                a: "Annotated[Missing, Out('a')]"
            def stage() -> Outs: ...
            """,
            "its type hints name 'Missing', which is not defined",
            id="undefined name in a TypedDict",
        ),
        pytest.param(
            """
            type Raw = Annotated[Missing, Dep('a')]
            def stage(raw: Raw) -> None: ...
            """,
            "its type hints name 'Missing', which is not defined",
            id="undefined name in a type alias",
        ),
        pytest.param(
            "def stage(raw: 'functools.Missing') -> None: ...",
            "its type hints cannot be read: AttributeError: module 'functools' has no attribute 'Missing'",
            id="undefined attribute in a hint",
        ),
        pytest.param(
            "def stage(raw: 'dict[' = None) -> None: ...",
            "its type hints cannot be read: SyntaxError",
            id="hint that is no expression",
        ),
        pytest.param(
            "def stage(raw: \"Annotated[dict, Dep('a.json', JSON)]\") -> None: ...",
            "the loader of Dep('a.json') has no method load(path): class JSON",
            id="class instead of an instance as a loader",
        ),
    ],
)
def test_signature_that_leaves_something_open(define: Define, source: str, problem: str) -> None:
    """The error names the stage, the file and the line of its function, and what to do."""
    module = define(source)

    with pytest.raises(StageError) as caught:
        register(module)

    mark = next(mark for mark in ("async def ", "def ", "stage = ") if f"\n{mark}" in f"\n{textwrap.dedent(source)}")
    if "class Cleaner" in source:
        mark = "async def __call__"
    assert str(caught.value).startswith(f"{module.__file__}:{line_of(module, mark)}: stage 'stage': ")
    assert problem in caught.value.problem
    assert (caught.value.stage, str(caught.value.location)) == ("stage", f"{module.__file__}:{line_of(module, mark)}")


def test_lambda_declares_nothing(define: Define) -> None:
    module = define("stage = lambda: None")

    with pytest.raises(StageError, match=f"pipeline.py:{line_of(module, 'stage')}: .* return type is not annotated"):
        register(module)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("def stage(raw: dict) -> None: ...", 'raw: Annotated[..., pivot.Dep("path", loader)]'),
        ("def stage(raw: Annotated[dict, Dep('a')] | None = None) -> None: ...", "Annotated[... | None, pivot.Dep("),
        ("def stage(): ...", "or None"),
        ("def stage() -> int: ...", "return a TypedDict"),
        ("async def stage() -> None: ...", "asyncio.run"),
        ("def stage(raw: 'Missing') -> None: ...", "at the top level of the module"),
    ],
)
def test_hint_says_the_way_out(define: Define, source: str, hint: str) -> None:
    with pytest.raises(StageError) as caught:
        register(define(source))

    assert hint in str(caught.value.hint)


def test_location_is_that_of_the_innermost_function(define: Define) -> None:
    module = define(
        """
        def logged(func):
            @functools.wraps(func)
            def wrapper(*args, **kwargs):
                return func(*args, **kwargs)
            return wrapper

        def inner(raw: Annotated[dict, Dep('a')], factor: int) -> None: ...
        stage = logged(functools.partial(logged(inner), factor=3))
        """
    )

    assert str(register(module).location) == f"{module.__file__}:{line_of(module, 'def inner')}"


@pytest.mark.parametrize(
    ("declare", "said", "hint"),
    [
        (lambda: Dep("x", JSON), r"the loader of Dep\('x'\) has no method load\(path\): class JSON", "JSON()"),  # type: ignore[arg-type]
        (lambda: Out("x", JSON), r"the loader of Out\('x'\) has no method save\(value, path\): class JSON", "JSON()"),  # type: ignore[arg-type]
        (lambda: Dep("x", "json"), r"no method load\(path\): str", "pivot.loaders"),  # type: ignore[arg-type]
        (lambda: Out("x", None), r"no method save\(value, path\): NoneType", "pivot.loaders"),  # type: ignore[arg-type]
        (lambda: Dep(3), "a path must be a string or a Path, not int", None),  # type: ignore[arg-type]
        (lambda: Out(b"x"), "a path must be a string or a Path, not bytes", None),  # type: ignore[arg-type]
    ],
)
def test_wrong_dep_or_out(declare: Callable[[], object], said: str, hint: str | None) -> None:
    with pytest.raises(DefinitionError, match=said) as caught:
        declare()

    assert (hint or "") in (caught.value.hint or "")


def test_path_may_be_a_path() -> None:
    assert Dep(pathlib.Path("a") / "b") == Dep("a/b", PathOnly())
    assert Out(pathlib.Path("a") / "b").path == "a/b"


def test_reader_alone_is_enough_for_a_dep() -> None:
    class OnlyReads:
        def load(self, path: pathlib.Path) -> str:
            return path.read_text()

    assert isinstance(Dep("x", OnlyReads()).loader, OnlyReads)
    with pytest.raises(DefinitionError, match="no method save"):
        Out("x", OnlyReads())  # type: ignore[arg-type]


TYPED = """\
import attrs


@attrs.frozen
class Named:
    kind: str = ""

    def for_type(self, hint):
        return Named(str(hint))

    def load(self, path): ...

    def save(self, value, path): ...


class Outs(TypedDict):
    a: Annotated[list[int], Out("a", Named())]
    b: Annotated[str, Out("b", Text())]


def stage(x: Annotated[dict[str, int], Dep(["x"], Named())], y: Annotated[str, Dep("y", Text())]) -> Outs: ...
"""


def test_a_loader_may_depend_on_the_type_hint(define: Define) -> None:
    stage = register(define(TYPED))
    declared: dict[str, Dep | Out] = {**stage.deps, **stage.outs}
    kinds = {name: getattr(item.loader, "kind", None) for name, item in declared.items()}

    assert kinds == {"x": "dict[str, int]", "y": None, "a": "list[int]", "b": None}
