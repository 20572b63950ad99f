"""Which pipelines join a command: the same graph, wherever it is given and whatever else is loaded."""

import os
import pathlib
import posixpath
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pivot_core.errors import PivotError
from pivot_runtime.context import CommandContext
from pivot_runtime.loading import host_client
from pivot_runtime.loading.assembly import LoadOptions, assemble, load_pipelines
from pivot_runtime.project.project import Project, init

HEAD = """\
from typing import Annotated

from pivot_core.stages.annotations import Dep, Out
from pivot_core.loaders import Text
from pivot_core.pipeline import Pipeline

pipeline = Pipeline({name!r})
"""

STAGE = """

@pipeline.register
def {name}({deps}) -> Annotated[str, Out({out!r}, Text())]:
    return ""
"""

DIRECTORIES = ["", "a", "b", "a/x", "a/y", "b/x", "b/x/deep"]


def write(root: pathlib.Path, directory: str, stages: dict[str, tuple[str, list[str]]]) -> None:
    """A pipeline file: by stage, the out and the deps as project paths."""
    name = f"p_{directory.replace('/', '_')}"
    text = HEAD.format(name=name)
    for stage, (out, deps) in stages.items():
        relative = [posixpath.relpath(dep, directory or ".") for dep in deps]
        declared = ", ".join(f"d{number}: Annotated[str, Dep({dep!r}, Text())]" for number, dep in enumerate(relative))
        text += STAGE.format(name=stage, deps=declared, out=posixpath.relpath(out, directory or "."))
    (root / directory).mkdir(parents=True, exist_ok=True)
    (root / directory / "pipeline.py").write_text(text)


@st.composite
def projects(draw: st.DrawFn) -> dict[str, dict[str, tuple[str, list[str]]]]:
    """By directory, its stages; each may read what stages drawn before it write, below the directory of these."""
    directories = draw(st.permutations(DIRECTORIES).flatmap(lambda found: st.sampled_from([found[:2], found[:4]])))
    outs: list[str] = []
    found: dict[str, dict[str, tuple[str, list[str]]]] = {directory: {} for directory in directories}
    for number in range(draw(st.integers(2, 6))):
        directory = draw(st.sampled_from(directories))
        deps = draw(st.lists(st.sampled_from(outs), unique=True, max_size=2)) if outs else []
        inside = draw(st.sampled_from(["", "data/", "x/"]))
        out = posixpath.join(directory, f"{inside}out{number}.txt")
        found[directory][f"s{number}"] = (out, [*deps, "raw.txt"])
        outs.append(out)
    return {directory: stages for directory, stages in found.items() if stages}


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(projects())
def test_the_graph_does_not_depend_on_where_one_stands(
    tmp_path: pathlib.Path, found: dict[str, dict[str, tuple[str, list[str]]]]
) -> None:
    root = tmp_path / "project"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    init(root)
    for directory, stages in found.items():
        write(root, directory, stages)

    everything = assemble(CommandContext(Project(root, root), os.environ), LoadOptions(all_pipelines=True))
    everything.close()
    assert len(everything.own) == sum(map(len, found.values()))
    for directory, stages in found.items():
        here = assemble(CommandContext(Project(root, root / directory), os.environ))
        here.close()
        expected = everything.graph.select(everything.graph.ancestors(here.own))
        assert {spec.name for spec in here.graph.stages.values() if spec.address in here.own} == stages.keys()
        assert dict(here.graph.stages) == dict(expected.stages)
        assert dict(here.graph.upstream) == dict(expected.upstream)


def test_no_process_is_left_behind(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where two pipelines contradict each other."""
    init(tmp_path)
    write(tmp_path, "a", {"one": ("a/x.txt", ["b/y.txt"])})
    write(tmp_path, "b", {"two": ("b/y.txt", [])})
    ended: list[int] = []

    class Watched(host_client.HostClient):
        def kill(self) -> None:
            ended.append(self.pid)
            super().kill()

    monkeypatch.setattr(host_client, "HostClient", Watched)
    (tmp_path / "b/pipeline.py").write_text((tmp_path / "b/pipeline.py").read_text().replace("p_b", "p_a"))
    with pytest.raises(PivotError, match="two pipelines have the name 'p_a'"):
        assemble(CommandContext(Project(tmp_path, tmp_path / "a"), os.environ))
    assert len(ended) == 2
    with pytest.raises(PivotError, match="two pipelines have the name 'p_a'"):
        assemble(
            CommandContext(Project(tmp_path, tmp_path), os.environ), LoadOptions(all_pipelines=True, force_import=True)
        )
    assert len(ended) == 4


def test_other_work_is_done_once_while_pipelines_are_imported(tmp_path: pathlib.Path) -> None:
    init(tmp_path)
    write(tmp_path, "a", {"one": ("a/x.txt", ["b/y.txt"])})
    write(tmp_path, "b", {"two": ("b/y.txt", [])})
    done: list[str] = []

    def load() -> None:
        context = CommandContext(Project(tmp_path, tmp_path / "a"), os.environ)
        assemble(context, LoadOptions(while_importing=lambda: done.append("work"))).close()

    load()
    assert done == ["work"]
    load()
    assert done == ["work"], "nothing is imported"


def test_a_load_is_stored_at_the_end_of_the_block_whatever_ends_it(tmp_path: pathlib.Path) -> None:
    init(tmp_path)
    write(tmp_path, "a", {"one": ("a/x.txt", [])})
    context = CommandContext(Project(tmp_path, tmp_path / "a"), os.environ)
    with pytest.raises(KeyboardInterrupt), load_pipelines(context):
        raise KeyboardInterrupt
    imported: list[str] = []
    with load_pipelines(context, LoadOptions(while_importing=lambda: imported.append("again"))):
        assert not imported


def test_other_work_during_a_load_is_given_the_stages_of_the_last_one(tmp_path: pathlib.Path) -> None:
    init(tmp_path)
    given: list[list[str]] = []

    def load() -> None:
        options = LoadOptions(while_loading=lambda addresses, _: given.append(list(addresses)))
        assemble(CommandContext(Project(tmp_path, tmp_path / "a"), os.environ), options).close()

    write(tmp_path, "a", {"one": ("a/x.txt", [])})
    load()
    load()
    write(tmp_path, "a", {"one": ("a/x.txt", []), "two": ("a/y.txt", [])})
    load()
    assert given == [[], ["p_a.one"]]
