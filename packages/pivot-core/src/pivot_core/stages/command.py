"""`command`: declares a stage that runs a shell command, with its deps and outs; pivot-runtime runs it."""

import re
import shlex
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_core.errors import DefinitionError, suggest
from pivot_core.files.patterns import literal
from pivot_core.loaders import PathOnly
from pivot_core.params.classes import StageParams, values_of
from pivot_core.spec import Location
from pivot_core.stages.annotations import Dep, Out, PathLike
from pivot_core.stages.interpolation import substitute, text_of
from pivot_core.stages.signature import StageSignature
from pivot_core.stages.stage import ParamsBinding

__pivot_module__ = "pivot"

PARAMS = "params"
"""The parameter name under which a command takes its parameters."""

_BREAKS = re.compile(r"[\s'\"();<>|&`]+")
_INTO = re.compile(r"[&<>]*>\|?")
_REDIRECTED = re.compile(r">[>|]?\s*[^\s'\"();<>|&`]+")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NOT_IN_ARGUMENTS = re.compile("[\0\ud800-\udfff]")
_TYPES = (bool, int, float, str)


KEY: Final = "command"
"""The key of a command's text in the code of its stage."""


@attrs.frozen(eq=False)
class Command:
    """The command of a shell stage; made by `command`.

    Attributes:
        steps: The texts for the shell, still with ``${params.name}``, ``${deps.name}`` and ``${outs.name}``; each runs
            in a shell of its own, after the one before it has succeeded.
        deps: By name, or by path.
        outs: By name, or by path.
        params: The values of its parameters by name.
        location: Its location.
        created: The path of the file that lists what its runs created besides its outs; ``""`` for none.
    """

    steps: tuple[str, ...]
    deps: Mapping[str, Dep]
    outs: Mapping[str, Out]
    params: Mapping[str, Any]
    location: Location
    created: str = ""

    @property
    def text(self) -> str:
        """All steps as one text, by which they count; several begin with ``$`` each, as they would at a prompt."""
        return self.steps[0] if len(self.steps) == 1 else "\n".join(f"$ {step}" for step in self.steps)

    def signature(self) -> StageSignature:
        """The declarations in the same form as a function's signature.

        Raises:
            DefinitionError: It refers to something that it does not declare.
        """
        known = {"params": self.params, "deps": self.deps, "outs": self.outs}

        def refuse_unknown(kind: str, rest: str) -> str:
            name = rest.partition(".")[0] if kind == PARAMS else rest
            if name not in known[kind]:
                names = ", ".join(known[kind]) or "none"
                if kind == PARAMS and not known[kind]:
                    names = (
                        f"none with values of its own; in a pivot.yaml, ${{{rest}}} is a value of params.yaml or 'vars'"
                    )
                raise DefinitionError(
                    f"its command names ${{{kind}.{name}}}, but among its {kind} is no {name!r}",
                    hint=suggest(name, known[kind], format_name=lambda each: f"${{{kind}.{each}}}")
                    or f"it has: {names}",
                )
            return ""

        substitute(self.text, refuse_unknown, known)
        taken = ParamsBinding(PARAMS, _class_of(self.params)) if self.params else None
        return StageSignature(dict(self.deps), {}, dict(self.outs), single=False, params=taken)


def command(
    text: str | Sequence[str],
    *,
    deps: Sequence[PathLike | Dep] | Mapping[str, Any] = (),
    outs: Sequence[PathLike | Out] | Mapping[str, Any] = (),
    params: Mapping[str, Any] | None = None,
) -> Command:
    """A shell command that can be registered as a stage under a name.

    For example::

        pipeline.register(pivot.command("Rscript fit.R", deps=["rows.csv"], outs=["model.rds"]), name="fit")

    It runs in bash, in the directory of the pipeline, and fails as soon as one of its commands fails, even inside a
    pipe.

    Args:
        text: The command, of one or several lines, or a list of commands: each runs in a shell of its own, once the one
            before it has succeeded, and is printed to the log. ``${params.name}``, ``${deps.name}`` and
            ``${outs.name}`` are replaced by values and paths, quoted for the shell; ``$${params.name}`` is not.
        deps: The paths that it reads (or `Dep` for more than a path), or a mapping from names to them.
        outs: The paths that it writes (or `Out` for more than a path), or a mapping from names to them.
        params: Values by name for references in the command.

    Raises:
        DefinitionError: An argument has the wrong type.
    """
    caller = sys._getframe(1)  # noqa: SLF001  # a command is where it is written, as a function is
    return make_command(text, deps, outs, params or {}, Location(caller.f_code.co_filename, caller.f_lineno))


def make_command(text: object, deps: Any, outs: Any, params: Mapping[str, Any], location: Location) -> Command:
    """Like `command`, with a given ``location``."""
    steps = [text] if isinstance(text, str) else text
    if not isinstance(steps, list | tuple) or not steps:
        raise DefinitionError("a command must be a nonempty string, or a list of such")
    if not all(isinstance(step, str) and step.strip() for step in steps):
        raise DefinitionError("a command must be a nonempty string, or a list of such")
    wrong = _refused("".join(steps))
    if wrong:
        raise DefinitionError(f"a command contains {wrong}, which no command can", hint="remove it")
    return Command(
        steps=tuple(textwrap.dedent(step).strip() for step in steps),
        deps={name: dep if isinstance(dep, Dep) else Dep(dep) for name, dep in _named(deps, "deps")},
        outs={name: _as_written(out) if isinstance(out, Out) else Out(out) for name, out in _named(outs, "outs")},
        params=dict(params),
        location=location,
    )


def _refused(text: str) -> str:
    """A character that the arguments of no program can have; "" if there is none."""
    found = _NOT_IN_ARGUMENTS.search(text)
    return "" if found is None else f"the character U+{ord(found[0]):04X}"


def _as_written(out: Out) -> Out:
    """The same out without a loader, since the command itself writes the file."""
    return out if isinstance(out.loader, PathOnly) else attrs.evolve(out, loader=PathOnly())


def fill_in(
    text: str, deps: Mapping[str, Dep], outs: Mapping[str, Out], params: Mapping[str, Any] | None = None
) -> str:
    """The text of a command with paths inserted, quoted for the shell.

    Without ``params``, ``${params…}`` stays, and so does every escape, so that different commands have different texts.

    Raises:
        DefinitionError: A parameter cannot be part of a command.
    """

    def value(kind: str, name: str) -> str:
        if kind == PARAMS:
            return f"${{{kind}.{name}}}" if params is None else _quoted(name, _inside(name, params))
        paths = map(literal, deps[name].paths) if kind == "deps" else outs[name].paths
        return " ".join(map(shlex.quote, paths))

    return substitute(text, value, ("deps", "outs", PARAMS), unescape=params is not None)


def words(text: str) -> Iterator[str]:
    """The words of a command that may name files that it reads, each once.

    Words are unquoted as in the shell; the part after each ``=`` is included, but options and the targets of
    redirections are not.
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        found = list(lexer)
    except ValueError:  # an apostrophe in a comment, or a here-document
        found = _BREAKS.split(_REDIRECTED.sub(" ", text))
    read = (word for before, word in zip(["", *found], found, strict=False) if not _INTO.fullmatch(before))
    seen = dict.fromkeys(part for word in read for part in (word, *word.split("=")[1:]))
    yield from (word for word in seen if not word.startswith("-") and any(map(str.isalnum, word)))


def _named(given: Any, argument: str) -> list[tuple[str, Any]]:
    if isinstance(given, Mapping):
        return list(given.items())
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise DefinitionError(f"{argument} must be a list of paths, or a mapping to them, not {type(given).__name__}")
    pairs = [(" ".join(each.paths) if isinstance(each, Dep | Out) else str(each), each) for each in given]
    times = Counter(name for name, _ in pairs)
    twice = next((name for name in times if times[name] > 1), None)
    if twice is not None and argument == "outs":
        raise DefinitionError(f"{argument} names {twice!r} twice", hint="remove one of the two")
    return pairs


def _class_of(params: Mapping[str, Any]) -> type:
    """A class of parameters with these defaults; a number may be replaced by any number."""
    for name in params:
        if not _NAME.fullmatch(name):
            raise DefinitionError(
                f"{name!r} cannot be the name of a parameter", hint="use letters, digits and _, and begin with a letter"
            )
    hints = {name: _hint(type(value)) for name, value in params.items()}
    return type("Params", (StageParams,), {"__annotations__": hints, "__module__": __name__, **params})


def _hint(kind: type) -> Any:
    if kind not in _TYPES:
        return Any
    return int | float if kind is int else kind


def _inside(name: str, params: Mapping[str, Any]) -> Any:
    value: Any = params
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise DefinitionError(f"the command names ${{{PARAMS}.{name}}}, but there is no {part!r}")
        value = value[part]
    return value


def _quoted(name: str, value: Any) -> str:
    several = value if isinstance(value, list | tuple) else [value]
    texts = [text_of(each) for each in several]
    if None in texts:
        raise DefinitionError(f"the parameter {name!r} is {type(value).__name__}, which cannot be part of a command")
    wrong = _refused("".join(map(str, texts)))
    if wrong:
        raise DefinitionError(f"the parameter {name!r} contains {wrong}, which cannot be part of a command")
    return " ".join(shlex.quote(text) for text in texts if text is not None)


def values(instance: object) -> Mapping[str, Any]:
    """The parameter values in a command's argument."""
    return values_of(instance) or {}
