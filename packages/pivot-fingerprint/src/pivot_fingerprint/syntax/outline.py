"""Outline of a source file: the facts that a walk needs, as plain data, from its tree or from a memo."""

from typing import NamedTuple, Protocol

from pivot_fingerprint.syntax.form import Form
from pivot_fingerprint.syntax.scopes import Import
from pivot_fingerprint.syntax.statement_acts import Act


class Site(NamedTuple):
    """The place of a function, class or lambda."""

    kind: str  # "func", "class", "lambda"
    name: str
    line: int
    first: int  # decorators included
    end: int
    body: tuple[int, int, int, int]  # line and column of its start, then of its end
    dunders: tuple[str, ...] = ()  # of a class: the dunder names that its body binds
    defaults: bool = False  # of a function without decorators: whether it has any


class Top:
    """A definition at the top of a module, also inside `if`, `try` and the like; compared by identity."""

    __slots__ = ("number", "site")

    def __init__(self, number: int, site: Site) -> None:
        self.number = number
        self.site = site


class TopPlace(NamedTuple):
    """The place of a function or class: the definition at the top of the module, and the number inside it."""

    top: Top | None  # None: a lambda outside any definition
    number: int  # inside a top, 0 is the top itself
    site: Site


class Binding(NamedTuple):
    """One statement at the top of a module that binds a name."""

    line: int
    end: int | None
    top: int | None = None  # the number of the definition
    imports: tuple[Import, ...] = ()
    is_from: bool = False

    @property
    def is_value(self) -> bool:
        """Whether it is neither a definition nor an import."""
        return self.top is None and not self.imports


class Effect(NamedTuple):
    """A statement with an effect on the value of a name: the name, and the attributes taken from it."""

    line: int
    end: int | None
    root: str
    attrs: tuple[str, ...]


class Outline(Protocol):
    """The outline of a file; numbers are positions in its lists."""

    imports: list[Import]  # everything that statements at the top import

    @property
    def tops(self) -> list[Site]:
        """The definitions at the top."""
        ...

    @property
    def bindings(self) -> dict[str, list[Binding]]:
        """The statements at the top by the names that they bind."""
        ...

    @property
    def stars(self) -> list[Import]:
        """The star imports."""
        ...

    @property
    def acts(self) -> list[Act]:
        """The effects of statements on names, at the top and in definitions."""
        ...

    @property
    def effects(self) -> list[Effect]:
        """The statements with effects on the values of names."""
        ...

    def top_form(self, number: int) -> Form:
        """The form of a definition at the top."""
        ...

    def sites(self, number: int) -> list[Site]:
        """All functions, classes and lambdas in a definition, itself first."""
        ...

    def lambdas(self) -> list[Site]:
        """The lambdas outside any definition."""
        ...

    def lambda_form(self, number: int) -> Form:
        """The form of a lambda outside any definition."""
        ...

    def effects_form(self, numbers: list[int]) -> Form:
        """The form of some of the effects together."""
        ...
