"""An extension of griffe: classes that attrs makes have the `__init__` that attrs gives them; examples are Markdown."""

import re
from typing import Any

import griffe

import pivot_loaders

FACTORIES = {"attrs.frozen", "attrs.define", "attrs.mutable"}


class AttrsSignatures(griffe.Extension):
    """Adds an `__init__` with a parameter per field, so that the reference shows how to create an instance."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Complete all classes of a package that is loaded, and the loaders that `pivot.loaders` imports when asked."""
        _complete(pkg)
        if pkg.name == "pivot":
            for name in pivot_loaders.__all__:
                pkg["loaders"].set_member(name, griffe.Alias(name, f"pivot_loaders.{name}"))


def _complete(within: griffe.Object) -> None:
    for member in list(within.members.values()):
        if isinstance(member, griffe.Object) and member.docstring is not None:
            member.docstring.value = re.sub(r"::(?=\n\n)", ":", member.docstring.value)
        if isinstance(member, griffe.Class):
            if _decorated(member) and "__init__" not in member.members:
                member.set_member("__init__", _init(member))
            _complete(member)
        elif isinstance(member, griffe.Module):
            _complete(member)


def _decorated(cls: griffe.Class) -> bool:
    return any(
        isinstance(each.value, griffe.ExprCall | griffe.ExprAttribute | griffe.ExprName)
        and each.callable_path in FACTORIES
        for each in cls.decorators
    )


def _init(cls: griffe.Class) -> griffe.Function:
    """The parameters of all fields, those of bases first, as far as these are classes of attrs, too."""
    found: dict[str, griffe.Parameter] = {}
    for base in reversed(_bases(cls)):
        for field in base.members.values():
            if isinstance(field, griffe.Attribute) and field.annotation is not None:
                found.pop(field.name, None)
                if (parameter := _parameter(field)) is not None:
                    found[parameter.name] = parameter
    ordered = sorted(found.values(), key=lambda each: each.kind is griffe.ParameterKind.keyword_only)
    own = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
    return griffe.Function("__init__", parameters=griffe.Parameters(own, *ordered), returns="None", parent=cls)


def _bases(cls: griffe.Class) -> list[griffe.Class]:
    try:
        return [base for base in [cls, *cls.mro()] if _decorated(base)]
    except ValueError:  # a base is of a package that is not loaded
        return [cls]


def _parameter(field: griffe.Attribute) -> griffe.Parameter | None:
    """The parameter of a field; None if it has none."""
    if "ClassVar" in str(field.annotation):
        return None
    given: dict[str, Any] = {}
    default: Any = field.value
    if isinstance(field.value, griffe.ExprCall) and field.value.canonical_path in {"attrs.field", "attr.field"}:
        given = {each.name: each.value for each in field.value.arguments if isinstance(each, griffe.ExprKeyword)}
        default = f"{given['factory']}()" if "factory" in given else given.get("default")
    if str(given.get("init")) == "False":
        return None
    kind = "keyword_only" if str(given.get("kw_only")) == "True" else "positional_or_keyword"
    name = str(given.get("alias", field.name)).strip("'\"").lstrip("_")
    return griffe.Parameter(name, annotation=field.annotation, kind=griffe.ParameterKind[kind], default=default)
