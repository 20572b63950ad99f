"""The facts about a source file that a walk needs, as plain data: from its tree, or from a memo."""

from typing import NamedTuple, Protocol

from pivot_fingerprint.syntax.form import Form
from pivot_fingerprint.syntax.scopes import Import
from pivot_fingerprint.syntax.statement_acts import Act


class Site(NamedTuple):
    """Where one function, class or lambda stands."""

    kind: str  # "func", "class", "lambda"
    name: str
    line: int
    first: int  # decorators included
    end: int
    body: tuple[int, int, int, int]  # line and column of its start, then of its end
    dunders: tuple[str, ...] = ()  # of a class: the names with two underscores that its body binds
    defaults: bool = False  # of a function without decorators: whether it has any


class Top:
    """A definition at the top of a module, also inside `if`, `try` and the like; each is equal to itself alone."""

    __slots__ = ("number", "site")

    def __init__(self, number: int, site: Site) -> None:
        self.number = number
        self.site = site


class TopPlace(NamedTuple):
    """Where a function or class stands: the definition at the top of the module that holds it, and which of its own."""

    top: Top | None  # None: a lambda outside any definition
    number: int  # in a top, 0 is the top itself
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
    """A statement that does something to what a name stands for: the name, and the attributes taken from it."""

    line: int
    end: int | None
    root: str
    attrs: tuple[str, ...]


class Outline(Protocol):
    """A file seen from above; the numbers are places in its own lists."""

    tops: list[Site]
    bindings: dict[str, list[Binding]]
    stars: list[Import]
    imports: list[Import]  # all that importing the file imports by statements at its top

    @property
    def acts(self) -> list[Act]:
        """The effects of statements on names, at the top and in definitions."""
        ...

    @property
    def effects(self) -> list[Effect]:
        """The statements that do something to what a name stands for."""
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
        """The form of one of these."""
        ...

    def effects_form(self, numbers: list[int]) -> Form:
        """The form of some of the effects together."""
        ...

    def whole_form(self) -> Form:
        """The form of the module's whole text."""
        ...
