"""Projects of source files, loaded by a real host."""

import atexit
import functools
import os
import pathlib
from collections.abc import Mapping

from pivot_runtime.context import CommandContext
from pivot_runtime.loading.fork_server import ForkServer
from pivot_runtime.loading.host_client import HostClient, load_in
from pivot_runtime.loading.loaded import Loaded, LoadedStage
from pivot_runtime.project.project import init

HEAD = """\
import pathlib
from typing import Annotated, TypedDict

from pivot_core.stages.annotations import Dep, Out
from pivot_core.loaders import JSON, PathOnly, Text
from pivot_core.pipeline import Pipeline

pipeline = Pipeline("p")
"""


class Sources:
    """A directory with a project in it, made of texts."""

    def __init__(self, root: pathlib.Path, files: Mapping[str, str] | None = None) -> None:
        root.mkdir(exist_ok=True)
        init(root)
        self.root = root
        for name, text in (files or {}).items():
            self.write(name, text)

    @property
    def context(self) -> CommandContext:
        """The context of a new command."""
        return CommandContext.find(self.root, os.environ)

    def write(self, name: str, text: str) -> pathlib.Path:
        """Write a file; `pipeline.py` gets its usual imports first."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + text if name == "pipeline.py" else text)
        return file

    def replace(self, name: str, old: str, new: str) -> None:
        """Edit a file: ``old`` is in it exactly once."""
        text = (self.root / name).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        (self.root / name).write_text(text.replace(old, new))

    def load(self, name: str = "pipeline.py") -> Loaded:
        """Load in a host that is gone afterwards."""
        loaded, host = load_in(new_host, self.root, self.root / name)
        host.close()
        return loaded

    def stages(self) -> dict[str, LoadedStage]:
        return {stage.spec.name: stage for stage in self.load().stages}

    def imported(self) -> set[str]:
        """The user's files that a load imports, by name."""
        return {pathlib.Path(file).name for file, digest in self.load().sources.items() if digest}


def new_host() -> HostClient:
    """A new host, forked from one process for all tests unless the environment is another than its own."""
    server, environ = _server()
    return server.host() if environ == _environment() else HostClient.begin(quiet=True)


@functools.cache
def _server() -> tuple[ForkServer, dict[str, str]]:
    server = ForkServer.begin(quiet=True)
    atexit.register(server.close)
    return server, _environment()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
