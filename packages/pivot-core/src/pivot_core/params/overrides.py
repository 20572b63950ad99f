"""Parameters on the command line: ``-p STAGE.NAME=VALUE``, and the stages that they apply to.

Variables of a ``pivot.yaml`` (``--var NAME=VALUE``) are among them; their texts begin with `VARIABLE`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from pivot_core.errors import DefinitionError, PivotError, suggest
from pivot_core.values import Value

VARIABLE: Final = "$"
"""The beginning of the text of a variable; no stage has such a name."""


class ParamError(DefinitionError):
    """A parameter does not exist, or cannot have the given value."""


@attrs.frozen(eq=False, repr=False)
class Override(Value):
    """One ``-p STAGE.NAME=VALUE``, or one ``--var NAME=VALUE``.

    Attributes:
        text: The text as given; for a variable, after `VARIABLE`.
        parts: The part before ``=``, split at its dots.
        value: The part after ``=``.
        variable: Whether it is a variable.
    """

    text: str
    parts: tuple[str, ...]
    value: str
    variable: bool = False

    @classmethod
    def parse(cls, text: str) -> "Override":
        """Parse one override.

        Raises:
            ParamError: The text does not have this form.
        """
        variable = text.startswith(VARIABLE)
        target, equals, value = text.removeprefix(VARIABLE if variable else "").partition("=")
        parts = tuple(target.strip().split("."))
        if variable:
            if not equals or not all(parts):
                raise ParamError(
                    f"{text.removeprefix(VARIABLE)!r} gives no variable a value", hint="write --var NAME=VALUE"
                )
            return cls(text, parts, value, variable=True)
        if not equals or len(parts) < 2 or not all(parts):  # noqa: PLR2004  # a stage and a name
            raise ParamError(f"{text!r} gives no parameter a value", hint="write -p STAGE.NAME=VALUE")
        return cls(text, parts, value)

    def path(self, pipeline: str, stage: str, names: Iterable[str]) -> tuple[str, ...] | None:
        """The path of the parameter (and of a part inside it) that is meant; None if it belongs to another stage.

        A stage is given by its name (without a variant: all its variants) or by its address.
        """
        if self.variable:
            return None
        known = frozenset(names)
        spoken = (stage, base_name(stage))
        if self.parts[0] in spoken and self.parts[1] in known:
            return self.parts[1:]
        if len(self.parts) > 2 and self.parts[0] == pipeline and self.parts[1] in spoken and self.parts[2] in known:  # noqa: PLR2004
            return self.parts[2:]
        return None


@attrs.frozen(eq=False, repr=False)
class OverrideTarget(Value):
    """A stage that overrides are checked against: its names, and those of its parameters."""

    pipeline: str
    stage: str
    names: tuple[str, ...]


def base_name(stage: str) -> str:
    """The name of a stage without its variant."""
    return stage.partition("@")[0]


def names_for(pipeline: str, stage: str) -> tuple[str, ...]:
    """The keys of a params file that apply to a stage, the most general first."""
    base = base_name(stage)
    return tuple(dict.fromkeys((base, f"{pipeline}.{base}", stage, f"{pipeline}.{stage}")))


def check(overrides: Iterable[Override], stages: Sequence[OverrideTarget]) -> None:
    """Check that every override applies to a stage, and not to stages of two pipelines.

    Raises:
        ParamError: An override does not.
    """
    for override in overrides:
        if override.variable:
            continue
        meant = [each for each in stages if override.path(each.pipeline, each.stage, each.names)]
        if not meant:
            raise _unknown(override, stages)
        if len({each.pipeline for each in meant}) > 1:
            addresses = ", ".join(f"{each.pipeline}.{each.stage}" for each in meant)
            raise ParamError(f"-p {override.text}: several stages have that name", hint=f"use an address: {addresses}")


def check_variables(overrides: Iterable[Override], names: Iterable[str]) -> None:
    """Check that every variable among the overrides is one of these.

    Raises:
        ParamError: One is not.
    """
    known = sorted(names)
    for override in overrides:
        if override.variable and override.parts[0] not in known:
            hint = f"known variables: {', '.join(known)}" if known else "no pivot.yaml here has 'vars'"
            raise ParamError(
                f"no pivot.yaml here has the variable {override.parts[0]!r}",
                hint=suggest(override.parts[0], known) or hint,
            )


def _unknown(override: Override, stages: Sequence[OverrideTarget]) -> PivotError:
    target = ".".join(override.parts)
    known = [f"{each.stage}.{name}" for each in stages for name in each.names]
    close = suggest(target, known, most=3)
    if close:
        hint = close
    elif known:
        hint = f"known parameters: {', '.join(known[:10])}{' …' if len(known) > 10 else ''}"  # noqa: PLR2004
    else:
        hint = "no stage here takes parameters"
    return ParamError(f"no stage has the parameter {target!r}", hint=hint)
