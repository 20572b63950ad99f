"""The live `Stage` that a user registered, and its conversion to a `StageSpec`."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pivot_core.errors import PathError
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern, is_pattern, literal
from pivot_core.params.classes import fields
from pivot_core.params.layers import ParamLayer, resolve_params
from pivot_core.params.overrides import Override
from pivot_core.spec import LOCAL, Location, OutSpec, StageError, StageSpec
from pivot_core.stages.annotations import Dep, Out


@attrs.frozen(eq=False)
class ParamsBinding:
    """The parameters that a stage takes.

    Attributes:
        parameter: The name of the function's parameter.
        cls: Its class.
        given: The values by name from the registration.
        places: The location of each value, if it differs from the stage's.
    """

    parameter: str
    cls: type
    given: Mapping[str, Any] = attrs.field(factory=dict)
    places: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class Stage:
    """A registered function and what its signature declares.

    Attributes:
        name: The stage's own name.
        func: The function that runs: a function, or a `pivot_core.stages.command.Command`.
        location: Its location, with the file's absolute path.
        deps: By parameter.
        outs: By the key of the returned TypedDict; `single` has the key ``"return"``.
        single: Whether the returned value itself is the value of the only out.
        previous: By parameter, the outs whose previous value it takes.
        params: The typed parameters that it takes, or None.
        values: By parameter, the arguments of its call that are not loaded from files.
        env: The environment variables that it depends on.
        mutex: The groups in which only one stage runs at a time.
        resources: The resources that it uses while it runs, and how much of each; sizes in bytes.
        timeout: The maximum duration of a run in seconds; None for no limit. Neither this nor `retries` is part of the
            key.
        retries: How often a failed run is repeated.
        always: Whether it runs in every run.
        frozen: Whether it never runs.
        ttl: For how many seconds its result counts; None without a limit.
        after: As in `StageSpec`.
        priority: As in `StageSpec`.
        desc: As in `StageSpec`.
        wdir: The directory in which it runs, relative to that of its pipeline.
        uncounted_params: As in `StageSpec`, without those that the class of its parameters marks.
        executor: As in `StageSpec`.
        file_params: As in `StageSpec`, with paths as declared.
        meta: As in `StageSpec`.
        variables: As in `StageSpec`.
    """

    name: str
    func: Any
    location: Location
    deps: Mapping[str, Dep]
    outs: Mapping[str, Out]
    single: bool = False
    previous: Mapping[str, Out] = attrs.field(factory=dict)
    params: ParamsBinding | None = None
    values: Mapping[str, Any] = attrs.field(factory=dict)
    env: tuple[str, ...] = ()
    mutex: tuple[str, ...] = ()
    resources: Mapping[str, int] = attrs.field(factory=dict)
    timeout: float | None = None
    retries: int = 0
    always: bool = False
    frozen: bool = False
    ttl: float | None = None
    after: tuple[str, ...] = ()
    priority: int = 0
    desc: str = ""
    uncounted_params: tuple[str, ...] = ()
    wdir: str = "."
    executor: str = ""
    file_params: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    meta: Mapping[str, Any] = attrs.field(factory=dict)
    variables: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)

    def with_params(
        self,
        layers: Iterable[ParamLayer] = (),
        overrides: Iterable[tuple[Override, tuple[str, ...]]] = (),
        *,
        root: str = "/",
    ) -> "Stage":
        """This stage with the values of its parameters: its own, overridden by ``layers``, overridden by ``overrides``.

        Errors name files relative to ``root``.

        Raises:
            ParamError: A name is unknown, or a value is missing or does not fit.
        """
        if self.params is None:
            return self
        here = str(self.location.below(root))
        own = ParamLayer(self.params.given, {name: self.params.places.get(name, here) for name in self.params.given})
        value = resolve_params(self.name, self.params.cls, (own, *layers), overrides)
        return attrs.evolve(self, values={**self.values, self.params.parameter: value})

    def spec(self, pipeline: str, *, base: str, root: str) -> StageSpec:
        """This stage as plain data, with its paths resolved against ``base``.

        Raises:
            StageError: A path leaves the project, or one path is declared as two outs.
        """
        deps: set[ArtifactPath] = set()
        counted: set[ArtifactPath] = set()
        for name, dep in self.deps.items():
            paths = {self._resolve_dep(path, f"Dep of parameter {name!r}", base, root) for path in dep.paths}
            deps |= paths
            counted |= paths if dep.count else set()
        file_params: dict[ArtifactPath, tuple[str, ...]] = {}
        for file, keys in self.file_params.items():
            path = self._resolve(file, "file_params", base, root)
            known = file_params.get(path, keys)  # the same file may be written in several ways
            file_params[path] = tuple(dict.fromkeys((*known, *keys))) if known and keys else ()
        deps |= file_params.keys()
        outs: dict[ArtifactPath, OutSpec] = {}
        labels: dict[ArtifactPath, str] = {}
        for key, out in self.outs.items():
            what = "the returned value" if self.single else repr(key)
            for declared in out.paths:
                label = what if len(out.paths) == 1 else f"{what} (as {declared!r})"
                path = self._resolve(declared, f"{type(out).__name__} of {label}", base, root)
                if path in outs:
                    raise StageError(
                        self.name,
                        self.location,
                        f"{labels[path]} and {label} are both written to {str(path)!r}",
                        hint="declare it once, or let one of them be written to another path",
                    )
                labels[path] = label
                outs[path] = OutSpec(
                    path,
                    cache=out.cache,
                    directory=out.directory,
                    incremental=out.persist,
                    kind=out.role,
                    plot=out.options,
                    temp=out.temp,
                    desc=out.desc,
                    meta=out.meta or {},
                    inside=out.inside,
                )
        return StageSpec(
            name=self.name,
            pipeline=pipeline,
            base=base,
            location=self.location.below(root),
            deps=tuple(sorted(deps)),
            outs=tuple(spec for _, spec in sorted(outs.items())),
            mutex=self.mutex,
            resources=self.resources,
            timeout=self.timeout,
            retries=self.retries,
            always=self.always,
            frozen=self.frozen,
            ttl=self.ttl,
            uncounted=tuple(sorted(deps - counted)),
            after=self.after,
            priority=self.priority,
            desc=self.desc,
            uncounted_params=tuple(sorted({*self.uncounted_params, *self._marked()})),
            # Only this machine has the content from which such an out goes on.
            executor=LOCAL if any(out.incremental and not out.cache for out in outs.values()) else self.executor,
            file_params=file_params,
            meta=self.meta,
            variables=self.variables,
        )

    def _marked(self) -> Iterable[str]:
        if self.params is None:
            return ()
        return (name for name, field in fields(self.params.cls).items() if field.uncounted)

    def _resolve_dep(self, declared: str, what: str, base: str, root: str) -> ArtifactPath:
        kind = PathPattern if is_pattern(declared) else ArtifactPath
        return self._resolve(literal(declared), what, base, root, kind)

    def _resolve(
        self, declared: str, what: str, base: str, root: str, kind: type[ArtifactPath] = ArtifactPath
    ) -> ArtifactPath:
        try:
            return kind.resolve(declared, base=base, root=root)
        except PathError as error:
            raise StageError(self.name, self.location, f"{what}: {error}", hint=error.hint) from None
