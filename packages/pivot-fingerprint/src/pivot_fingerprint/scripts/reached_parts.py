"""Modules that a program loads, and the parts of them that it reaches."""

import builtins
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.scripts.module_facts import ModuleFacts, Part
from pivot_fingerprint.scripts.module_search import FoundModule
from pivot_fingerprint.sources.modules import import_base
from pivot_fingerprint.syntax.scopes import Import

__pivot_module__ = "pivot_fingerprint"

MAIN: Final = "__main__"


class LoadedModule:
    """A module that a program loads.

    Attributes:
        whole: Everything in it counts.
        is_value: Code may take any name from it.
        by_text: Code may take any name from it by a text, also of the modules that it imports.
        texts: Its text counts, with comments.
        reads_itself: Its code reads the file that it is in.
    """

    def __init__(self, found: FoundModule, facts: ModuleFacts | None, shown: str, *, is_main: bool) -> None:
        self.found = found
        self.facts = facts
        self.shown = shown
        self.name = found.name.removesuffix(f".{MAIN}") if is_main else found.name
        self.is_main = is_main
        self.whole = False
        self.is_value = False
        self.by_text = False
        self.texts = False
        self.reads_itself = False
        self.identity = shown or found.name

    @property
    def base(self) -> str | None:
        """The directory from which it is imported."""
        return import_base(self.found.file, self.found.name) if self.found.file is not None else None

    def gives(self, name: str) -> bool:
        """Whether the text binds a name other than by importing a module of the package itself."""
        if self.facts is None or name not in self.facts.bound:
            return False
        targets = self.facts.targets.get(name)
        if targets is None or name in self.facts.names:
            return True
        return any(target.name != name or self.absolute(target) != self.found.name for target in targets)

    def absolute(self, target: Import) -> str:
        """The full name of the module that an import in this module names."""
        if not target.level:
            return target.module
        parts = self.found.package.split(".") if self.found.package else []
        parts = parts[: len(parts) - target.level + 1]
        return ".".join([*parts, target.module] if target.module else parts)


class ReachedPart(NamedTuple):
    """A part that the program reaches, and what the names in it are imported from."""

    module: LoadedModule
    part: Part
    via: str | None
    given: list[str]


def joined(facts: ModuleFacts, parts: Sequence[Part]) -> Part:
    """The body of a module as one part."""
    if len(parts) == 1:
        return parts[0]
    empty = facts.whole._replace(kind="effects", docs="", signature="", refs=(), annotated=(), issues=(), reads=())
    return empty._replace(
        line=min((part.line for part in parts), default=1),
        start=min((part.start for part in parts), default=1),
        end=max((part.end for part in parts), default=1),
        digest=digest_of([part.digest for part in parts]),
        annotated=tuple(ref for part in parts for ref in part.annotated),
        issues=tuple(issue for part in parts for issue in part.issues),
    )


def given(module: LoadedModule, part: Part) -> Iterator[str]:
    """The targets of the names that a part uses, as far as its module says them."""
    facts = module.facts
    if facts is None or part.kind == "module":
        return
    for root in sorted({ref.root for ref in part.refs if isinstance(ref.root, str)}):
        if root == "__doc__":
            yield f"__doc__ {facts.docs}"
        yield from (f"{root} = {target}" for target in facts.targets.get(root, ()))
        if root not in facts.bound and not hasattr(builtins, root):
            yield from (f"{root} of {'.' * star.level}{star.module}" for star in facts.stars)


def digest_of(texts: Iterable[str]) -> str:
    """32 hex digits over some texts."""
    return xxh3_128_hexdigest("\0".join(texts).encode("utf-8", "surrogatepass"))


def order_of(facts: ModuleFacts, name: str, stars: Sequence[Import]) -> str:
    """The order of the statements that bind a name, and of the star imports that may; empty if there is only one."""
    if not stars or (len(stars) == 1 and name not in facts.bound):
        return facts.orders.get(name, "")
    places = dict(zip(facts.stars, facts.star_places, strict=True))
    every = [(place, "") for place in facts.places.get(name, ())] + [(places[star], str(star)) for star in stars]
    return " ".join([facts.orders.get(name, ""), *(f"*{text}" for _, text in sorted(every))])


def without_code(facts: ModuleFacts) -> Part:
    """A part for what is known of a name that only imports bind."""
    empty = facts.whole._replace(kind="const", digest="", docs="", signature="", looks="", refs=(), annotated=())
    return empty._replace(issues=(), reads=(), tried=(), later=())


def opaque(content: bytes) -> Part:
    """A part for a whole module that cannot be parsed."""
    end = content.count(b"\n") + 1
    return Part("module", 1, 1, end, xxh3_128_hexdigest(content), "", "", (), (), (), (), "", (), ())
