"""All reads and look-ups of a fingerprint are reported to its listener."""

import ast
import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import pivot_fingerprint
from pivot_fingerprint import Fingerprinter, register_encoder
from pivot_fingerprint.disk import Disk, real_file
from pivot_fingerprint.values.builtin_types import _ENCODERS

PLACE = Path(pivot_fingerprint.__file__).parent
MODULES_OF_OURS = {
    ".".join(("pivot_fingerprint", *file.relative_to(PLACE).with_suffix("").parts)): file
    for file in PLACE.rglob("*.py")
}
DOOR = "pivot_fingerprint.disk"
OF_A_RUN = (
    "pivot_fingerprint.runtime.start_file",
    "pivot_fingerprint.runtime.program_names",
    "pivot_fingerprint.runtime.program_observer",
    "pivot_fingerprint.runtime.program_hook",
    "pivot_fingerprint.runtime.recorder",
    "pivot_fingerprint.programs",
)  # in the processes of a stage: no fingerprint reads what they touch
ON_DISK = {
    "os": {"access", "fwalk", "listdir", "lstat", "open", "readlink", "scandir", "stat", "walk"},
    "os.path": {
        *("exists", "getatime", "getctime", "getmtime", "getsize", "isdir", "isfile", "islink", "ismount"),
        *("lexists", "realpath", "samefile"),
    },
    "sys": {"meta_path", "path_hooks", "path_importer_cache"},
    "inspect": {"findsource", "getsource", "getsourcelines", "getsourcefile"},
}
MODULES = {
    *("fileinput", "filecmp", "glob", "io", "linecache", "mmap", "pathlib", "pkgutil", "posix", "py_compile", "runpy"),
    *("shutil", "sqlite3", "subprocess", "tempfile", "tokenize", "zipfile", "zipimport"),
    *("importlib.metadata", "importlib.resources", "importlib.util"),
}


def _touches(tree: ast.Module) -> Iterator[str]:
    """The names through which code may access the disk."""
    typing = [each for each in ast.walk(tree) if isinstance(each, ast.If) and ast.unparse(each.test) == "TYPE_CHECKING"]
    for node in set(ast.walk(tree)) - {inner for block in typing for inner in ast.walk(block)}:
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            if node.attr in ON_DISK.get(owner, ()):
                yield f"{owner}.{node.attr}"
            elif node.attr == "find_spec":
                yield node.attr
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if node.module in MODULES or "PathFinder" in names or names & ON_DISK.get(node.module or "", set()):
                yield f"{node.module}: {', '.join(sorted(names))}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "__import__"}:
            yield node.func.id


def test_only_one_module_accesses_the_disk() -> None:
    found = {
        name: sorted(set(_touches(ast.parse(file.read_text()))))
        for name, file in MODULES_OF_OURS.items()
        if name not in (DOOR, *OF_A_RUN)
    }
    assert {name: touched for name, touched in found.items() if touched} == {}
    assert list(_touches(ast.parse(MODULES_OF_OURS[DOOR].read_text())))  # else this looks for the wrong names


class Heard:
    """A listener that records all calls."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.files: dict[str, str | None] = {}
        self.looks: set[tuple[str, str]] = set()
        self.probes: list[str] = []
        self.calls = 0

    def read(self, path: str, content: bytes | None) -> None:
        shown = os.path.relpath(path, self._root)
        assert shown not in self.files, "each file is read once"
        self.files[shown] = None if content is None else content.decode()

    def searched(self, name: str, places: Sequence[str]) -> None:
        below = [os.path.relpath(place, self._root) for place in places if Path(place).is_relative_to(self._root)]
        self.looks |= {(name, place) for place in below}

    def probed(self, path: str) -> None:
        self.probes.append(path)

    @contextlib.contextmanager
    def called(self) -> Iterator[None]:
        self.calls += 1
        yield


STAGE = """
from pivot_fingerprint import no_fingerprint


@no_fingerprint(code_deps=["rules.txt", "gone.txt"])
def opted_out():
    pass


class Plain:
    value = 1


PLAIN = Plain()


def stage():
    import helper
    import later
    from kit import tool
    from kit.nested import absent
    from space import inner, never
    from kit.inside.deep import value
    opted_out()
    return helper.go(), later, tool, absent, inner, never, value, PLAIN
"""
FILES = {
    "rules.txt": "one\n",
    "helper.py": "import lower\n\ndef go():\n    return lower.VALUE\n",
    "lower.py": "VALUE = 1\n",
    "kit/__init__.py": "from kit.tools import tool\n",
    "kit/tools.py": "def tool(): pass\n",
    "kit/nested.py": "",
    "space/inner.py": "",
    "kit/inside/deep.py": "value = 1\n",
    "unused.py": "",
}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], object]]:
    for name, text in {**FILES, "heard_stage.py": STAGE}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module("heard_stage").stage
    del sys.modules["heard_stage"]


def test_all_reads_and_lookups_are_reported(stage: Callable[[], object], tmp_path: Path) -> None:
    heard = Heard(tmp_path)
    Fingerprinter(root=tmp_path, listener=heard).fingerprint(stage)

    read: dict[str, str | None] = {"heard_stage.py": STAGE, "gone.txt": None}
    read |= {name: text for name, text in FILES.items() if name not in ("unused.py", "space/inner.py")}
    assert {name: heard.files.get(name, "not heard") for name in read} == read
    assert "unused.py" not in heard.files
    wanted = {("helper", "."), ("later", "."), ("lower", "."), ("kit", "."), ("space", "."), ("tools", "kit")}
    wanted |= {("nested", "kit"), ("inner", "space"), ("never", "space")}
    assert heard.looks >= wanted


def test_calls_of_encoders_are_reported(stage: Callable[[], object], tmp_path: Path) -> None:
    kind = type(sys.modules["heard_stage"].PLAIN)
    depths: list[int] = []
    heard = Heard(tmp_path)
    register_encoder(kind, lambda _: depths.append(heard.calls))
    try:
        Fingerprinter(root=tmp_path, listener=heard).fingerprint(stage)
    finally:
        del _ENCODERS[kind]

    assert depths
    assert min(depths) > 0


def test_a_pipe_is_not_a_file(stage: Callable[[], object], tmp_path: Path) -> None:
    """A pipe may have no end, so opening it could block forever."""
    (tmp_path / "rules.txt").unlink()
    os.mkfifo(tmp_path / "rules.txt")
    heard = Heard(tmp_path)
    manifest = Fingerprinter(root=tmp_path, listener=heard).fingerprint(stage)

    assert heard.files["rules.txt"] is None
    assert "the file 'rules.txt' that its `code_deps` name cannot be read" in {e.reason for e in manifest.unresolved}


def test_files_and_directories_may_be_links(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "place/file").touch()
    (tmp_path / "link").symlink_to("place")
    (tmp_path / "place/other").symlink_to("file")
    known: dict[str, str] = {}

    for name in ("place/file", "link/file", "place/other", "link/other", "link/absent"):
        path = os.fspath(tmp_path / name)
        assert real_file(path, known) == os.path.realpath(path)


def test_a_file_is_read_to_its_end_whatever_its_size_is_said_to_be() -> None:
    assert Disk().read("/proc/self/cmdline") == Path("/proc/self/cmdline").read_bytes() != b""


def test_a_listed_directory_counts_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    disk = Disk()

    assert disk.listed(str(tmp_path)) == {"a.py"}
    assert disk.listed(str(tmp_path / "none")) == frozenset()
