"""A snapshot that is found says what a load would say, whatever has been edited."""

import dataclasses
import os
import pathlib
import shutil
import tempfile

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from source_projects import HEAD, Sources, new_host

from pivot_core.errors import PivotError
from pivot_runtime.loading.host_client import load_in
from pivot_runtime.loading.loaded import Loaded, LoadedStage
from pivot_runtime.loading.snapshot import Snapshots, holds
from pivot_runtime.project.project import Project

MODULES = ("a", "b", "c", "kit", "kit.x", "kit.y", "kit.in.x", "space.x", "space.y", "json5")
FILES = ("rules.txt", "sub/rules.txt")
PLACES = ("", "sub/")
"""The pipeline is in `sub`, whose modules come before those of the root."""

IMPORTS = (
    "import {0}",
    "from {0} import VALUE",
    "from {0} import *",
    "from {0} import go as go_{1}",
    "try:\n    from {0} import VALUE\nexcept ImportError:\n    VALUE = 0",
    "try:\n    import {0} as maybe\nexcept ImportError:\n    maybe = None",
    "def go():\n    import {0}\n    return {0}.VALUE",
    "def go():\n    import {0} as module\n    return module.go()",
    "def go():\n    from {0} import go\n    return go()",
    "def go():\n    from {2} import {3}\n    return {3}.go()",
    "def go():\n    try:\n        from {0} import go\n    except ImportError:\n        return 0\n    return go()",
    "def go():\n    import importlib\n    return importlib.import_module('{0}').go()",
    """from pivot_fingerprint import no_fingerprint
@no_fingerprint(code_deps=['rules.txt', '{1}.txt'])
def go():
    return 1""",
    "import pathlib\nVALUE = pathlib.Path(__file__).with_name('rules.txt').exists()",
    "from {2} import {3} as {1}_too\ndef go():\n    return {1}_too",
)
PIPELINE = f"""{HEAD}
def lazy() -> Annotated[str, Out("lazy.txt", Text())]:
    import a
    return a.go()

def maybe() -> Annotated[str, Out("maybe.txt", Text())]:
    try:
        from kit import x
        from kit.y import go
        import space.x
    except ImportError:
        return ""
    return go() + x.VALUE + space.x.VALUE

try:
    import b
except ImportError:
    b = None

def eager() -> Annotated[str, Out("eager.txt", Text())]:
    return b.go()

for each in (lazy, maybe, eager):
    pipeline.register(each)
"""
DECLARED = """\
pipeline: p
stages:
  named:
    python: work:named
  shell:
    cmd: sh rules.txt > shell.txt
    outs: [shell.txt]
"""
WORK = """\
from typing import Annotated
from pivot_core.stages.annotations import Out
from pivot_core.loaders import Text

def named() -> Annotated[str, Out("named.txt", Text())]:
    import a
    from kit import y
    return a.go() + y.go()
"""


@st.composite
def texts(draw: st.DrawFn) -> str:
    lines = [f"VALUE = {draw(st.integers(0, 2))}", f"def go():\n    return {draw(st.integers(0, 2))}"]
    for form in draw(st.lists(st.sampled_from(IMPORTS), max_size=2)):
        name = draw(st.sampled_from(MODULES))
        lines.append(
            form.format(name, name.replace(".", "_"), name.rpartition(".")[0] or name, name.rpartition(".")[2])
        )
    return "\n".join(draw(st.permutations(lines))) + "\n"


@dataclasses.dataclass(frozen=True)
class Edit:
    """One edit; `text` of None removes, a name instead of it renames."""

    place: str
    name: str
    package: bool
    text: str | None
    renamed: str = ""

    def file(self, root: pathlib.Path, name: str) -> pathlib.Path:
        if name.endswith(".txt"):
            return root / name
        stem = root / self.place / name.replace(".", "/")
        return stem / "__init__.py" if self.package else stem.with_name(f"{stem.name}.py")

    def make(self, root: pathlib.Path) -> None:
        file = self.file(root, self.name)
        if self.renamed:
            target = self.file(root, self.renamed)
            if file.exists() and not target.parent.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                file.replace(target)
        elif self.text is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.text)
        elif self.package and not self.name.endswith(".txt"):
            shutil.rmtree(file.parent, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)


modules = st.sampled_from(MODULES)
edits = st.one_of(
    st.builds(Edit, st.sampled_from(PLACES), modules, st.booleans(), texts()),
    st.builds(Edit, st.sampled_from(PLACES), modules, st.booleans(), texts()),
    st.builds(Edit, st.sampled_from(PLACES), modules, st.booleans(), st.none()),
    st.builds(Edit, st.sampled_from(PLACES), modules, st.booleans(), st.none(), modules),
    st.builds(
        Edit, st.just(""), st.sampled_from(FILES), st.just(False), st.one_of(st.none(), st.sampled_from(["1", "2"]))
    ),
)


def load(root: pathlib.Path, file: pathlib.Path) -> Loaded | None:
    try:
        loaded, host = load_in(new_host, root, file)
    except PivotError:
        return None
    host.close()
    return loaded


def stages(loaded: Loaded | None) -> tuple[LoadedStage, ...] | None:
    return None if loaded is None else loaded.stages


@settings(max_examples=int(os.environ.get("TEST_SNAPSHOT_EXAMPLES", "6")), suppress_health_check=list(HealthCheck))
@given(st.booleans(), st.lists(edits, max_size=12), st.lists(edits, min_size=4, max_size=8))
@example(  # a directory that is before the module of its name, and becomes a package
    False,
    [Edit("", "kit", False, ""), Edit("sub/", "kit.y", False, "def go(): return 1\n")],
    [Edit("sub/", "kit", True, "")],
)
@example(False, [], [Edit("", "a", False, "def go(): return 1\n"), Edit("sub/", "a", False, "def go(): return 2\n")])
@example(True, [Edit("", "a", False, "def go(): return 1\n")], [Edit("sub/", "a", False, "def go(): return 2\n")])
def test_a_snapshot_says_what_a_load_says(declared: bool, before: list[Edit], after: list[Edit]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory).resolve() / "project"
        Sources(root, {"sub/pivot.yaml": DECLARED} if declared else {"sub/pipeline.py": PIPELINE})
        file = root / ("sub/pivot.yaml" if declared else "sub/pipeline.py")
        Edit("", "work", package=False, text=WORK).make(root)
        for edit in before:
            edit.make(root)
        snapshots = Snapshots(root / ".pivot/state.db/snapshots", os.environ)
        nothing = Edit("", "nothing", package=False, text=None)
        for edit in (nothing, *after):
            edit.make(root)
            held = holds(Project.find(file.parent), os.environ)
            found = snapshots.find(file, ())
            assert held == (found is not None)
            loaded = load(root, file)
            assert loaded is not None or not declared, "nothing is imported but what no edit touches"
            if found is not None:
                assert found.loaded.stages == stages(loaded), edit
            if loaded is not None:
                snapshots.keep(file, (), loaded)
                snapshots.write()
        elsewhere = root.with_name("elsewhere")
        shutil.copytree(root, elsewhere, ignore=shutil.ignore_patterns("state.db"))
        copied = load(elsewhere, elsewhere / file.relative_to(root))
        assert stages(copied) == stages(loaded)
