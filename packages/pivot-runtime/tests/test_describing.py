"""Pipelines as a ``pivot.yaml`` describes them, and the errors where it names something that is not there."""

import pathlib
import sys
from collections.abc import Iterator

import pytest

from pivot_core.errors import PivotError
from pivot_core.files.digest import digest_bytes
from pivot_runtime.definitions.pipeline_file import read_definitions

STEPS = """\
from typing import Annotated
from pivot_core.stages.annotations import Out, PlaceholderDep
from pivot_core.loaders import Text

def fit(rows: Annotated[str, PlaceholderDep(Text())]) -> Annotated[str, Out("fit.txt", Text())]:
    return rows

class Tools:
    @staticmethod
    def fit(rows: Annotated[str, PlaceholderDep(Text())]) -> Annotated[str, Out("fit.txt", Text())]:
        return rows

LIMIT = 3
"""


@pytest.fixture
def file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    directory = tmp_path / "sub"
    directory.mkdir()
    (directory / "described_steps.py").write_text(STEPS)
    yield directory / "pivot.yaml"
    for name in set(sys.modules) - before:
        del sys.modules[name]


def declare(file: pathlib.Path, stage: str, *, head: str = "pipeline: p") -> pathlib.Path:
    file.write_text(f"{head}\nstages:\n  s:\n    {stage}\n    deps: {{rows: rows.txt}}\n")
    return file


@pytest.mark.parametrize("name", ["described_steps:fit", "described_steps:Tools.fit"])
def test_functions_are_imported_from_beside_the_file(file: pathlib.Path, name: str) -> None:
    described = read_definitions(declare(file, f"python: {name}", head="pipeline: p\nroot: data"), file.parent.parent)
    (pipeline,) = described.pipelines
    (spec,) = pipeline.specs(base="sub", root=str(file.parent.parent))

    assert (spec.address, spec.base, str(spec.location)) == ("p.s", "sub/data", "sub/pivot.yaml:4")
    assert spec.deps == ("sub/data/rows.txt",)
    assert described.sources == {str(file): digest_bytes(file.read_bytes())}


@pytest.mark.parametrize(
    ("stage", "told", "hint"),
    [
        ("python: described_step:fit", "there is no module 'described_step'", "did you mean described_steps?"),
        ("python: nothing.like.it:fit", "there is no module 'nothing.like.it'", "beside the file"),
        ("python: described_steps:fti", "'described_steps' has no function 'fti'", "did you mean fit?"),
        ("python: described_steps:Tools.fti", "has no function 'Tools.fti'", "did you mean fit?"),
        ("python: described_steps:LIMIT", "'described_steps:LIMIT' is not a function", None),
        ("python: described_steps:Tools", "'described_steps:Tools' is not a function", None),
        ("python: described_steps", "does not name a function", "write python: module:function"),
        ("python: 'a b:c'", "does not name a function", "write python: module:function"),
        ("python: json:fit", "another module is called 'json', too", "rename the json.py"),
        ("cmd: echo ${deps.no}", "among its deps is no 'no'", "it has: rows"),
        ("cmd: x\n    params: {a-b: 1}", "'a-b' cannot be the name of a parameter", None),
    ],
)
def test_missing_modules_and_functions_are_reported_with_their_line(
    file: pathlib.Path, stage: str, told: str, hint: str | None
) -> None:
    (file.parent / "json.py").write_text("")
    with pytest.raises(PivotError) as raised:
        read_definitions(declare(file, stage), file.parent.parent)

    assert "pivot.yaml:3: stage 's': " in str(raised.value)
    assert told in str(raised.value)
    assert (hint or "") in (raised.value.hint or "")


def test_exceptions_of_a_module_are_passed_on_with_the_stage(file: pathlib.Path) -> None:
    (file.parent / "described_broken.py").write_text("import nothing_like_it\n")
    with pytest.raises(ModuleNotFoundError, match="nothing_like_it") as raised:
        read_definitions(declare(file, "python: described_broken:fit"), file.parent.parent)
    assert raised.value.__notes__ == ["while importing 'described_broken' for stage 's'"]

    (file.parent / "described_broken.py").write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError) as failed:
        read_definitions(declare(file, "python: described_broken:fit"), file.parent.parent)
    assert failed.value.__notes__ == ["while importing 'described_broken' for stage 's'"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff", "sub/pivot.yaml: this is not UTF-8"),
        (b"pipeline: [", "sub/pivot.yaml:1: this is not YAML"),
        (b"pipeline: a b\nstages: {}\n", "sub/pivot.yaml:1: 'a b' cannot be the name of a pipeline"),
        (b"pipeline: p\nstages: {}\nroot: ../..\n", "sub/pivot.yaml:3: Pipeline('p'): its root '../..' is outside"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(file: pathlib.Path, content: bytes, told: str) -> None:
    file.write_bytes(content)
    with pytest.raises(PivotError) as raised:
        read_definitions(file, file.parent.parent)
    assert told in str(raised.value)


def test_a_file_that_cannot_be_read(file: pathlib.Path) -> None:
    file.mkdir()
    with pytest.raises(PivotError, match=r"sub/pivot\.yaml cannot be read"):
        read_definitions(file, file.parent.parent)


def test_files_with_variables_are_sources(file: pathlib.Path) -> None:
    root, settings, params = file.parent.parent, file.parent / "conf/a.toml", file.parent / "params.yaml"
    settings.parent.mkdir()
    settings.write_text("a = 1")
    declare(file, "cmd: echo ${a} ${b}", head="pipeline: p\nvars: [conf/a.toml]")
    with pytest.raises(PivotError, match=r"sub/pivot.yaml:5: \$\{b\} is not known"):
        read_definitions(file, root)
    params.write_text("b: 2")
    described = read_definitions(file, root)
    assert described.sources == {str(each): digest_bytes(each.read_bytes()) for each in (file, settings, params)}
    declare(file, "cmd: echo ${a} ${own}", head="pipeline: p\nroot: conf\nvars: [../conf/a.toml, own: 1]")
    assert read_definitions(file, root).sources.keys() == {str(file), str(settings)}
    declare(file, "cmd: echo ${a} ${params.x}", head="pipeline: p\nvars: [conf/a.toml]")
    params.unlink()
    with pytest.raises(PivotError, match="among its params is no 'x'"):
        read_definitions(file, root)


@pytest.mark.parametrize(
    ("name", "told", "hint"),
    [
        ("conf/b.toml", "sub/pivot.yaml:2: there is no file 'sub/conf/b.toml'", "did you mean conf/a.toml?"),
        ("config/a.toml", "sub/pivot.yaml:2: there is no file 'sub/config/a.toml'", ""),
        ("../../a.toml", "sub/pivot.yaml:2: '../../a.toml' is outside the project", "copy the file into the project"),
        ("conf", "sub/pivot.yaml:2: 'sub/conf' cannot be read: Is a directory", ""),
        ("conf/c.json", "sub/conf/c.json:1: this must be a mapping", "write 'name: value'"),
        ("conf/d.json", "sub/conf/d.json:1: this is not JSON", ""),
    ],
)
def test_files_with_variables_that_are_wrong(file: pathlib.Path, name: str, told: str, hint: str) -> None:
    (file.parent / "conf").mkdir()
    for each, text in (("a.toml", ""), ("c.json", "[]"), ("d.json", "{")):
        (file.parent / "conf" / each).write_text(text)
    declare(file, "cmd: x", head=f"pipeline: p\nvars: [{name}]")
    with pytest.raises(PivotError) as raised:
        read_definitions(file, file.parent.parent)
    assert str(raised.value).startswith(told)
    assert hint in (raised.value.hint or "")


def test_a_params_file_that_is_wrong(file: pathlib.Path) -> None:
    params = file.parent / "params.yaml"
    declare(file, "cmd: x ${a}")
    params.write_text("[1]")
    with pytest.raises(PivotError, match=r"sub/params.yaml:1: this must be a mapping"):
        read_definitions(file, file.parent.parent)
    params.unlink()
    params.mkdir()
    with pytest.raises(PivotError, match=r"sub/params.yaml cannot be read: Is a directory"):
        read_definitions(file, file.parent.parent)
