"""Projects whose stages run on a worker: makes the tasks that a command would send."""

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from source_projects import Sources, new_host

from pivot_cache.objects.store import ObjectStore
from pivot_cache.state.scan import hash_tree
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, Inputs
from pivot_runtime.cluster import sources, task
from pivot_runtime.cluster.task import InlineRoute, Route, StageAnswer, StageTask, TaskTemplate
from pivot_runtime.cluster_worker.stage_worker import StageWorker
from pivot_runtime.evaluating import expectation
from pivot_runtime.loading import host_client
from pivot_runtime.loading.loaded import LoadedStage


class ClusterProject:
    """A project at home, loaded once, whose tasks go to a worker."""

    def __init__(
        self,
        project: Sources,
        *,
        file: str = "pipeline.py",
        overrides: Sequence[str] = (),
        include: Sequence[str] = (),
        environment: Mapping[str, str | None] | None = None,
    ) -> None:
        """``environment`` are the variables that differ from those of this process."""
        self.project = project
        self.root = project.root
        changes = environment or {}
        variables = {name: value for name, value in {**os.environ, **changes}.items() if value is not None}
        self.loaded, host = host_client.load_in(
            lambda: host_client.HostClient.begin(quiet=True, environment=changes) if changes else new_host(),
            self.root,
            self.root / file,
            overrides=overrides,
        )
        host.close()
        files = sources.collect(self.root, [self.loaded], include=include)
        self.archive = sources.pack(files)
        self.extracted = 0
        self._number = 0
        self.template = TaskTemplate(
            "run",
            file,
            self.archive.digest,
            InlineRoute(),
            tuple(overrides),
            task.environment_of(self.loaded, variables),
            assigned=self.loaded.stages[0].assigned,
        )

    def stage(self, name: str) -> LoadedStage:
        return next(each for each in self.loaded.stages if name in (each.spec.name, each.spec.address))

    def inputs(self, stage: LoadedStage) -> Inputs:
        deps = {path: artifact_at(self.root / path) for path in stage.spec.deps}
        env = dict(stage.env)
        return Inputs(self.loaded.schema, stage.code, stage.params, deps, stage.spec.outs, env=env)

    def task(self, name: str, *, route: Route | None = None, **changes: Any) -> StageTask:
        """The task of a stage whose deps are on disk; with the bytes, unless they go another way."""
        stage, self._number = self.stage(name), self._number + 1
        inputs = self.inputs(stage)
        template = {key: changes.pop(key) for key in list(changes) if key in attrs.fields_dict(TaskTemplate)}
        route = route or InlineRoute()
        made = attrs.evolve(self.template, route=route, **template).task(
            self._number,
            stage.spec,
            inputs,
            expected=expectation.digest(expectation.facts(stage, self.loaded.schema)),
            objects=self.objects(inputs.deps.keys()) if isinstance(route, InlineRoute) else {},
        )
        return attrs.evolve(made, **changes)

    def objects(self, paths: Any) -> dict[str, bytes]:
        found = {}
        for path in paths:
            file = self.root / path
            if file.is_dir():
                tree = hash_tree(file)
                found[tree.artifact().digest] = tree.dumps()
                found |= {each.digest: (file / name).read_bytes() for name, each in tree.files.items()}
            else:
                found[digest_bytes(file.read_bytes())] = file.read_bytes()
        return found

    def run(self, worker: StageWorker, name: str, **changes: Any) -> StageAnswer:
        return self.answer(worker, self.task(name, **changes))

    def answer(
        self, worker: StageWorker, one: StageTask, *, output: Callable[[list[str]], object] = lambda _: None
    ) -> StageAnswer:
        return StageAnswer.from_plain(task.parse(worker.run(task.encode(one), self._archive, output=output)))

    def _archive(self) -> bytes:
        self.extracted += 1
        return self.archive.data


def artifact_at(file: pathlib.Path) -> Artifact:
    if file.is_dir():
        return hash_tree(file).artifact()
    data = file.read_bytes()
    return Artifact(digest_bytes(data), len(data), os.access(file, os.X_OK) and bool(file.stat().st_mode & 0o100))


def stored(store: ObjectStore, root: pathlib.Path, paths: Sequence[ArtifactPath]) -> None:
    """Store files in a cache, as a command at home does."""
    for path in paths:
        if (root / path).is_dir():
            tree = hash_tree(root / path)
            for name in tree.files:
                store.put(root / path / name)
            store.put_bytes(tree.dumps())
        else:
            store.put(root / path)
