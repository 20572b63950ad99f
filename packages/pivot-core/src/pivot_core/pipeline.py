"""`Pipeline`: the stages that one ``pipeline.py`` registers."""

import os
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Unpack, overload

import attrs

from pivot_core.errors import DefinitionError, PathError, suggest
from pivot_core.files.paths import ArtifactPath
from pivot_core.params.classes import fields, values_of
from pivot_core.spec import Location, StageError, StageSpec
from pivot_core.stages import options as checked
from pivot_core.stages.command import Command
from pivot_core.stages.options import PlainOptions, StageOptions
from pivot_core.stages.path_overrides import with_paths
from pivot_core.stages.signature import docstring_of, location_of, read_signature
from pivot_core.stages.stage import ParamsBinding, Stage
from pivot_core.values import Value

__pivot_module__ = "pivot"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_@=,+-]{0,99}")
_PARAGRAPHS = re.compile(r"\n\s*\n")
_NAME_HINT = "use at most 100 letters, digits and any of _ - @ = , +, and begin with a letter, a digit or _"


@attrs.frozen(eq=False, repr=False)
class Registration(Value):
    """The arguments of a stage's registration.

    Attributes:
        name: The stage's own name, with its variant.
        func: A function, or a `Command`.
        location: Its location, for errors.
        params: Values of its parameters, as in `Pipeline.register`.
        deps: Other paths by parameter.
        outs: Other paths by key.
        options: All others, as the user gave them.
        places: The location of each parameter's value; by default ``location``.
        variables: As in `StageSpec`.
    """

    name: str
    func: Any
    location: Location
    params: Any = None
    deps: Mapping[str, Any] | None = None
    outs: Mapping[str, Any] | None = None
    options: PlainOptions = attrs.field(factory=PlainOptions)
    places: Mapping[str, str] = attrs.field(factory=dict)
    variables: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)


class Pipeline:
    """A named set of stages; their order follows from the files that they declare.

    Attributes:
        name: Unique in the project; the first half of every stage's address.
        root: The directory that its paths are relative to and in which its stages run, relative to its file.
    """

    def __init__(self, name: str, *, root: str | os.PathLike[str] = ".") -> None:
        """Create an empty pipeline.

        Raises:
            DefinitionError: The name cannot be part of an address.
        """
        if not _NAME.fullmatch(name):
            raise DefinitionError(f"{name!r} cannot be the name of a pipeline", hint=_NAME_HINT)
        self.name = name
        self.root = os.fspath(root)
        self._stages: dict[str, Stage] = {}

    def __repr__(self) -> str:
        return f"Pipeline({self.name!r})"

    @property
    def stages(self) -> Mapping[str, Stage]:
        """The stages by name, in the order of registration."""
        return MappingProxyType(self._stages)

    @overload
    def register[**P, R](
        self, func: Callable[P, R], *, name: str | None = None, **options: Unpack[StageOptions]
    ) -> Callable[P, R]: ...

    @overload
    def register(self, func: Command, *, name: str, **options: Unpack[StageOptions]) -> Command: ...

    @overload
    def register[**P, R](
        self, *, name: str | None = None, **options: Unpack[StageOptions]
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def register(  # noqa: PLR0913  # one parameter per thing that can be said
        self,
        func: Any = None,
        *,
        name: str | None = None,
        variant: str | None = None,
        params: Any = None,
        deps: Mapping[str, Any] | None = None,
        outs: Mapping[str, Any] | None = None,
        env: Sequence[str] = (),
        mutex: Sequence[str] = (),
        resources: Mapping[str, int | str] | None = None,
        timeout: float | str | None = None,
        retries: int = 0,
        always: bool = False,
        frozen: bool = False,
        ttl: float | str | None = None,
        after: Sequence[str] = (),
        priority: int = 0,
        desc: str | None = None,
        uncounted_params: Sequence[str] = (),
        executor: str | None = None,
        wdir: str | os.PathLike[str] = ".",
        file_params: Sequence[str | Mapping[str, Sequence[str] | None]] = (),
        meta: Mapping[str, Any] | None = None,
    ) -> Any:
        """Add a function as a stage and return it, so that this also works as a decorator, with or without a name.

        A function may be registered any number of times, under different names or variants.

        Args:
            func: A `command`, or a function whose parameters are annotated with `Dep` or a class of parameters (or have
                defaults) and whose return type declares its `Out`; without it, a decorator is returned.
            name: The stage's name; by default the function's.
            variant: The part of the name after an ``@``, for one stage of a family.
            params: Values of its parameters: an instance of their class, or a mapping with some of them.
            deps: Paths by parameter, which override the declared ones; required for every `PlaceholderDep`.
            outs: Paths by key, which override the declared ones; the key of a single out is ``return``.
            env: Names of environment variables whose values its result depends on; Pivot stores only their digests.
            mutex: Names of groups in which only one stage runs at a time.
            resources: The resources that it uses while it runs, as in ``{"gpu": 1, "memory": "8 GiB"}``;
                ``resources.gpu`` in the configuration is the available amount, by default 1, or the machine's memory.
            timeout: The duration after which a run is ended and fails: a number of seconds, or as in ``"15m"``.
            retries: How often a failed run is repeated, each time from the beginning.
            always: Run it in every run, even if nothing has changed.
            frozen: Never run it, even if something has changed.
            ttl: The duration for which its result counts, from the start of the run that made it, as in ``"1d"``.
            after: Stages that it runs after although it reads none of their outs: names in this pipeline (of a family:
                of all its variants), or addresses.
            priority: Of several stages that could start, those with the highest priority do.
            desc: Its purpose, for the reader; by default the first paragraph of its docstring.
            wdir: The directory in which it runs and to which its paths are relative, relative to that of the pipeline;
                it is created if necessary.
            uncounted_params: Names of parameters whose values do not count as inputs, like fields that are marked with
                `Uncounted`.
            executor: ``"local"`` keeps it on the machine of the command when other stages run on a cluster.
            file_params: Keys of files that it reads itself, as in ``["rate", {"config.json": ["model.depth"]}]``: of
                ``params.yaml`` in its directory, or of a YAML, JSON, TOML or Python file; with None, all of the file.
                The parsed values count as parameters.
            meta: Any data for the reader, which ``pivot list --json`` prints.

        Raises:
            StageError: Its signature is incomplete, or the name is taken.
        """
        options = PlainOptions(
            env=env,
            mutex=mutex,
            resources=resources,
            timeout=timeout,
            retries=retries,
            always=always,
            frozen=frozen,
            ttl=ttl,
            after=after,
            priority=priority,
            desc=desc,
            uncounted_params=uncounted_params,
            executor=executor,
            wdir=wdir,
            file_params=file_params,
            meta=meta,
        )

        def add(func: Any) -> Any:
            own_name = name if name is not None else getattr(func, "__name__", "")
            full_name = own_name if variant is None else f"{own_name}@{variant}"
            location = func.location if isinstance(func, Command) else location_of(func)
            self.add(Registration(full_name, func, location, params, deps, outs, options))
            return func

        return add if func is None else add(func)

    def add(self, given: Registration) -> None:
        """Add a stage.

        Raises:
            StageError: The signature of its function is incomplete, or the name is taken.
        """
        name, func, location, options = given.name, given.func, given.location, given.options
        if not isinstance(func, Command) and (isinstance(func, type) or not callable(func)):
            raise DefinitionError(f"{self!r}: only a function can be registered, not {_describe(func)}")
        if not _NAME.fullmatch(name):
            raise StageError(
                name or _describe(func),
                location,
                f"{name!r} cannot be the name of a stage",
                hint=f"give it another name, in a pipeline.py by register(..., name=...): {_NAME_HINT}",
            )
        known = self._stages.get(name)
        if known is not None:
            raise StageError(
                name,
                location,
                f"pipeline {self.name!r} already has a stage of that name, from {known.location}",
                hint="give one of them another name, in a pipeline.py by register(..., name=...) or variant=...",
            )
        try:
            signature = func.signature() if isinstance(func, Command) else read_signature(name, func)
            declared = with_paths(signature, given.deps or {}, given.outs or {})
        except StageError:
            raise
        except DefinitionError as error:
            raise StageError(name, location, str(error), hint=error.hint) from None
        self._stages[name] = Stage(
            name=name,
            func=func,
            location=location,
            deps=MappingProxyType(declared.deps),
            outs=MappingProxyType(declared.outs),
            single=declared.single,
            previous=MappingProxyType(declared.previous),
            params=_given(given, declared.params),
            env=checked.variables(name, location, options.get("env", ())),
            mutex=checked.groups(name, location, options.get("mutex", ())),
            resources=checked.needs(name, location, options.get("resources")),
            timeout=checked.duration(name, location, "timeout", options.get("timeout"), "10m"),
            retries=checked.retries(name, location, options.get("retries", 0)),
            always=checked.flag(name, location, "always", options.get("always", False)),
            frozen=checked.flag(name, location, "frozen", options.get("frozen", False)),
            ttl=_ttl(name, location, given),
            after=checked.names_of_stages(name, location, options.get("after", ())),
            priority=checked.priority(name, location, options.get("priority", 0)),
            desc=_desc(given),
            uncounted_params=_uncounted(given, declared.params),
            executor=checked.executor(name, location, options.get("executor")),
            wdir=checked.directory(name, location, options.get("wdir", ".")),
            file_params=checked.file_params(name, location, options.get("file_params", ())),
            meta=checked.meta(name, location, options.get("meta")),
            variables=given.variables,
        )

    def specs(self, *, base: str, root: str) -> tuple[StageSpec, ...]:
        """All stages as plain data, for a pipeline whose file is in the directory ``base`` below ``root``.

        Raises:
            StageError: A declared path cannot be an artifact.
        """
        own = self.base(base, root)
        return tuple(
            stage.spec(self.name, base=self._base_of(stage, own, root), root=root) for stage in self._stages.values()
        )

    def _base_of(self, stage: Stage, own: str, root: str) -> str:
        """The directory of a stage relative to ``root``, in a pipeline with the directory ``own``."""
        try:
            return own if stage.wdir == "." else _directory(stage.wdir, own, root)
        except PathError as error:
            raise StageError(stage.name, stage.location, f"wdir: {error}", hint=error.hint) from None

    def base(self, base: str, root: str) -> str:
        """The directory of its stages relative to ``root``, for a pipeline whose file is in ``base``.

        Raises:
            DefinitionError: The directory is outside the project.
        """
        try:
            return _directory(self.root, base, root)
        except PathError as error:
            raise DefinitionError(f"{self!r}: its root {error}", hint=error.hint) from None


def _directory(declared: str, base: str, root: str) -> str:
    """A directory relative to the root; the root itself, which is no artifact, is ``""``."""
    if posixpath.normpath(posixpath.join(root, base, declared)) == posixpath.normpath(root):
        return ""
    return str(ArtifactPath.resolve(declared, base=base, root=root))


def _ttl(stage: str, location: Location, given: Registration) -> float | None:
    ttl = checked.duration(stage, location, "ttl", given.options.get("ttl"), "1d")
    if ttl is not None and given.options.get("always"):
        raise StageError(
            stage, location, "it has both always and ttl", hint="remove ttl: a stage that always runs has no old result"
        )
    return ttl


def _desc(given: Registration) -> str:
    desc = given.options.get("desc")
    text = docstring_of(given.func) if desc is None else desc
    if not isinstance(text, str):
        raise StageError(given.name, given.location, f"desc must be a text, not {text!r}")
    return " ".join(_PARAGRAPHS.split(text.strip())[0].split())


def _uncounted(given: Registration, taken: ParamsBinding | None) -> tuple[str, ...]:
    names = given.options.get("uncounted_params", ())
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise StageError(
            given.name,
            given.location,
            "uncounted_params must be a list of names of parameters",
            hint='uncounted_params=["jobs"]',
        )
    known = fields(taken.cls) if taken is not None else {}
    for name in names:
        if name not in known:
            raise StageError(
                given.name,
                given.location,
                f"uncounted_params names {name!r}, which is none of its parameters",
                hint=suggest(name, known) or f"it has: {', '.join(known) or 'none'}",
            )
    return tuple(names)


def _given(given: Registration, taken: ParamsBinding | None) -> ParamsBinding | None:
    """The parameters of a stage with the values of its registration."""
    if given.params is None:
        return taken
    if taken is None:
        raise StageError(
            given.name,
            given.location,
            "it is registered with params, but no parameter of its function takes any",
            hint="annotate one with a class derived from pivot.StageParams",
        )
    values = values_of(given.params) if isinstance(given.params, taken.cls) else given.params
    if not isinstance(values, Mapping):
        raise StageError(
            given.name,
            given.location,
            f"params must be a mapping or an instance of {taken.cls.__name__}, not {type(given.params).__name__}",
        )
    return ParamsBinding(taken.parameter, taken.cls, {**taken.given, **values}, given.places)


def _describe(thing: object) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else type(thing).__name__


def plain_call(stage: Stage, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Call a stage with the values of its deps, and return the values of its outs by key.

    Raises:
        StageError: The return value does not match the declared return type.
    """
    returned = stage.func(**values)
    if stage.single:
        return {"return": returned}
    if not stage.outs:
        if returned is not None:
            raise StageError(stage.name, stage.location, f"it returned {type(returned).__name__} but declares None")
        return {}
    if not isinstance(returned, Mapping):
        raise StageError(
            stage.name,
            stage.location,
            f"it returned {type(returned).__name__}, but declares the keys {sorted(stage.outs)}",
        )
    missing = sorted(stage.outs.keys() - returned.keys())
    unknown = sorted(map(str, returned.keys() - stage.outs.keys()))
    if missing or unknown:
        parts = [f"without {missing}"] * bool(missing) + [f"with the undeclared {unknown}"] * bool(unknown)
        raise StageError(stage.name, stage.location, f"it returned its outs {' and '.join(parts)}")
    return {key: returned[key] for key in stage.outs}
