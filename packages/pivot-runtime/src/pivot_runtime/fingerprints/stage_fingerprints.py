"""The fingerprint of each stage of a load: its code, with all that loads its deps and writes its outs."""

import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from pivot_cache.layout import Layout
from pivot_core.files.paths import ArtifactPath
from pivot_core.spec import StageSpec
from pivot_core.stages.annotations import Dep, Out
from pivot_core.stages.command import KEY
from pivot_core.stages.out_values import out_values
from pivot_core.stages.stage import Stage
from pivot_fingerprint import Fingerprinter, Manifest
from pivot_runtime.definitions import params
from pivot_runtime.definitions.outline_cache import OutlineCache
from pivot_runtime.definitions.shell_code import ShellInputs, place_entries
from pivot_runtime.fingerprints import environ_changes
from pivot_runtime.fingerprints.encoded_stages import EncodedStages
from pivot_runtime.fingerprints.load_recorder import LoadRecorder
from pivot_runtime.loading.loaded import LoadedStage, Steady, stage_of

if TYPE_CHECKING:
    from pivot_runtime.definitions.notebook_code import NotebookCode


class DeclaredStage(NamedTuple):
    """A stage of a load.

    Attributes:
        spec: Its declaration.
        stage: The stage, with its parameters.
        values: Its parameters by name, as plain data.
        command: The inputs of its shell command; None if it has none.
        notebook: The code of its notebook; None if it has none.
    """

    spec: StageSpec
    stage: Stage
    values: Mapping[str, Any]
    command: ShellInputs | None
    notebook: "NotebookCode | None" = None


class StageFingerprints:
    """Makes the fingerprints of stages, in the process that has imported them, or in one forked from it."""

    def __init__(
        self,
        root: pathlib.Path,
        file: pathlib.Path,
        recorder: LoadRecorder,
        is_user_code: Callable[[str], bool],
        assigned: Mapping[str, str],
    ) -> None:
        """Make none yet.

        Args:
            root: The project's root.
            file: The pipeline file.
            recorder: The recorder of the load, which notes what the fingerprints depend on.
            is_user_code: Whether code in a file is the user's.
            assigned: By name, a digest of each environment variable that the import set.
        """
        self._root, self._file = root, file
        self._memo = OutlineCache(Layout(root).outlines_dir)
        self._recorder = recorder
        self._is_user_code = is_user_code
        self._assigned = assigned
        self._notebook_files: set[str] = set()

    def encoded(self, stages: Iterable[DeclaredStage], part: str = "", files: Iterable[str] = ()) -> EncodedStages:
        """These stages with their fingerprints.

        Manifests are kept for the next load; those of one ``part`` of the pipeline after `join_kept`. Of the user's
        modules, ``files`` are read first.
        """
        fingerprinter = Fingerprinter(
            is_user_code=lambda file: self._is_user_code(file) or file in self._notebook_files,
            root=self._root,
            memo=self._memo,
            chance=self._recorder.random_calls.numbers,
            listener=self._recorder,
            kept_as=str(self._file),
            part=part,
        )
        with self._recorder.paused(), fingerprinter:
            fingerprinter.read_ahead(files)
            with self._recorder.called():
                return EncodedStages.of(self._loaded(each, fingerprinter) for each in stages)

    def join_kept(self, parts: Iterable[str]) -> None:
        """Keep the manifests of all parts for the next load."""
        with self._recorder.paused():
            Fingerprinter.join_kept(self._memo, self._root, str(self._file), parts)

    def _loaded(self, declared: DeclaredStage, fingerprinter: Fingerprinter) -> LoadedStage:
        spec, stage, values, command, notebook = declared
        env = params.variables(stage, spec.address) if stage.env else {}
        outs = tuple(out_values(stage, base=spec.base, root=str(self._root)))
        if command is not None:
            env = environ_changes.named_by(command.texts[KEY], self._assigned) | env
            loaded = stage_of(attrs.evolve(spec, named=command.named), command.manifest, values, env)
            return attrs.evolve(loaded, texts=command.texts, values=outs, superseded=command.superseded)
        if notebook is not None:
            with self._recorder.paused():
                from pivot_runtime.fingerprints import notebook_fingerprints  # lazy: few stages are notebooks

                manifest = notebook_fingerprints.manifest_of(notebook, fingerprinter, self._root, self._notebook_files)
            for file in self._notebook_files:
                self._recorder.sources.pop(file, None)  # its content is that of the notebook, which is recorded
            place = place_entries(stage, spec.base, str(self._root))
            manifest = Manifest({**manifest, **place}, manifest.unresolved, manifest.libraries) if place else manifest
            named = (ArtifactPath(notebook.path),)
            return attrs.evolve(stage_of(attrs.evolve(spec, named=named), manifest, values, env), values=outs)
        with self._recorder.paused():
            manifest, steady = self._fingerprint(spec, stage, fingerprinter)
        return attrs.evolve(stage_of(spec, manifest, values, env), steady=steady, values=outs)

    def _fingerprint(
        self, spec: StageSpec, stage: Stage, fingerprinter: Fingerprinter
    ) -> tuple[Manifest, Steady | None]:
        """The manifest of a stage, and the digests of its values if these may differ at each import."""

        def resolved(declared: Dep | Out) -> str | list[str]:
            paths = [str(ArtifactPath.resolve(path, base=spec.base, root=str(self._root))) for path in declared.paths]
            return paths[0] if isinstance(declared.path, str) else paths

        # The paths too, since they say which file is loaded for which parameter.
        values: dict[str, object] = {
            f"loader:{name}": (resolved(dep), dep.loader, *_loads(dep)) for name, dep in stage.deps.items()
        }
        values |= {f"writer:{key}": (resolved(out), out.loader) for key, out in stage.outs.items()}
        values |= {f"check:{key}": out.check for key, out in stage.outs.items() if out.check is not None}
        values |= {f"previous:{name}": (resolved(out), out.loader) for name, out in stage.previous.items()}
        values |= {"wdir": spec.base} if stage.wdir != "." else {}
        values |= params.behaviour(stage, self._is_user_code)
        manifest = fingerprinter.fingerprint(stage.func, values)
        if not self._recorder.random_calls.may_differ:
            return manifest, None
        return manifest, Steady(*fingerprinter.unstable_values(stage.func, values))


def _loads(dep: Dep) -> tuple[str, ...]:
    """How a dep is loaded, unless its loader loads each path."""
    files = [path for path in dep.paths if dep.loads_files(path)]
    return ("lazy" if dep.lazy else "files", *files) if files else ()
