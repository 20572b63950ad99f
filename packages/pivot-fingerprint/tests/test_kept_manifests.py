"""A kept manifest counts again only if nothing has changed that its walk depended on; see also `test_random_edits`."""

import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from pivot_fingerprint import Fingerprinter, Manifest, disk, fingerprint
from pivot_fingerprint.sources import source_file
from pivot_fingerprint.sources.memo import decode_line, encode_line, memo_key, seal, unpack

MARK = "0" * 32
PROJECT = {
    "pipeline.py": """
import math, sys, functools, helpers, other
from helpers import scale
RATE = 3
def deco(function): return function
def local(x): return x * RATE + abs(x)
@deco
def stage(x) -> int: return local(scale(x)) + helpers.shift(x) + math.sqrt(x) + helpers.TABLE["a"] + __name__
""",
    "helpers.py": """
import os
TABLE = {"a": os.environ.get("KEPT_MANIFESTS", "1")}
def scale(x, factor=2): return x * factor
def shift(x): return x + 1
""",
    "other.py": "import sys, helpers\nUNUSED = 1\n",
}


def key_of(root: Path) -> bytes:
    """The key of the manifests that a project keeps."""
    return memo_key(f"{root}\0name\0{disk.own_version()}".encode(), "manifests")


class Memo(dict[bytes, bytes]):
    def put(self, key: bytes, content: bytes) -> None:
        self[key] = content


class ReadMemo(Memo):
    """A memo that notes the keys that are looked up."""

    def __init__(self, content: Memo) -> None:
        super().__init__(content)
        self.read: set[bytes] = set()

    def get(self, key: bytes, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)


class Project:
    """A project whose stage is fingerprinted in one process after the other."""

    def __init__(self, root: Path, importable: Callable[[Path], AbstractContextManager[None]]) -> None:
        self.root, self.memo = root, Memo()
        self._importable = importable
        for name, text in PROJECT.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        self.root.mkdir(exist_ok=True)
        (self.root / name).write_text(text)

    def add(self, name: str, text: str) -> None:
        self.write(name, f"{(self.root / name).read_text()}{text}\n")

    def manifest(self, values: dict[str, object] | None = None, **options: object) -> Manifest:
        """The manifest in a new process, with the memo."""
        source_file._FILES.clear()
        with (
            self._importable(self.root),
            Fingerprinter(memo=self.memo, root=self.root, **{"kept_as": "name", **options}) as fingerprinter,  # type: ignore[arg-type]
        ):
            return fingerprinter.fingerprint(importlib.import_module("pipeline").stage, values)

    def walked(self, values: dict[str, object] | None = None) -> Manifest:
        """The manifest of a walk."""
        source_file._FILES.clear()
        with self._importable(self.root):
            return fingerprint(importlib.import_module("pipeline").stage, root=self.root, values=values)

    def mark(self) -> None:
        """Put another digest into all entries of kept manifests."""
        key = key_of(self.root)
        lines = unpack(self.memo.get(key), key) or [encode_line([[], []])]
        first = 1 + len(decode_line(lines[0])[0])
        marked = [
            encode_line([*kept, [[entry, MARK, *rest] for entry, _, *rest in entries]])
            for *kept, entries in map(decode_line, lines[first:])
        ]
        self.memo[key] = seal([*lines[:first], *marked], key)

    def reuses(self, values: dict[str, object] | None = None) -> bool:
        """Whether the kept manifest is used; either way, the result is that of a walk."""
        before = self.memo.copy()
        expected = self.walked(values)
        assert self.manifest(values) == expected
        self.memo.clear()
        self.memo.update(before)
        self.mark()
        marked = self.manifest(values)
        self.memo.clear()
        self.memo.update(before)
        return {entry.digest for entry in marked.values()} == {MARK}


@pytest.fixture
def project(tmp_path: Path, importable: Callable[[Path], AbstractContextManager[None]]) -> Iterator[Project]:
    known = vars(math).copy()
    yield Project(tmp_path / "checkout", importable)
    vars(math).clear()
    vars(math).update(known)


@pytest.mark.parametrize("file", PROJECT)
@pytest.mark.parametrize("edit", ["", "UNUSED = 2", "def more(x): return x", "import string"])
def test_a_manifest_is_used_again_after_edits_elsewhere(project: Project, file: str, edit: str) -> None:
    project.manifest()
    for _ in range(2):
        project.add(file, edit)
        assert project.reuses()
        project.manifest()


@pytest.mark.parametrize("file", PROJECT)
def test_lines_may_move(project: Project, file: str) -> None:
    project.manifest()
    project.write(file, f"# more\n\n{(project.root / file).read_text()}")
    assert project.reuses()
    project.manifest()
    project.write("helpers.py", (project.root / "helpers.py").read_text().replace("x + 1", "(\n    x + 1)"))
    assert project.reuses()


@pytest.mark.parametrize(
    ("file", "edit"),
    [
        ("helpers.py", "def shift(x): return x + 2"),
        ("helpers.py", "if True:\n    def shift(x): return x + 1"),
        ("helpers.py", "TABLE = {'a': 1}"),
        ("pipeline.py", "def abs(x): return x"),
        ("pipeline.py", "RATE = 4"),
        ("other.py", "helpers.TABLE['a'] = 2"),
        ("other.py", "helpers.TABLE = {'b': 2}"),
        ("other.py", "helpers.TABLE = math = 'text'"),
        ("other.py", "helpers.TABLE = helpers.shift"),
        ("other.py", "helpers.TABLE = [helpers.shift]"),
        ("other.py", "del helpers.TABLE"),
        ("other.py", "helpers.shift = helpers.scale"),
        ("other.py", "helpers.shift = lambda x: x"),
        ("other.py", "helpers.shift.__code__ = helpers.more.__code__"),
        ("other.py", "helpers.shift.__code__ = helpers.inside().__code__"),
        ("other.py", "helpers.shift.__defaults__ = (3,)"),
        ("other.py", "helpers.scale.__defaults__ = (3,)"),
        ("other.py", "helpers.shift.mark = 1"),
        ("other.py", "class Sub(type(sys)): pass\nhelpers.__class__ = Sub"),
        ("other.py", "sys.modules['pipeline'].abs = max"),
        ("other.py", "import cmath\nsys.modules['pipeline'].math = cmath"),
        ("other.py", "sys.modules['pipeline'].helpers = math = None"),
        ("other.py", "import math\nmath.mark = 1"),
        ("other.py", "del sys.modules['helpers']"),
    ],
)
def test_a_manifest_is_made_again_if_something_changed_that_it_depends_on(
    project: Project, file: str, edit: str
) -> None:
    project.add("helpers.py", "def more(x): return -x")
    project.add("helpers.py", "def inside():\n    def shift(x): return -x\n    return shift")
    project.manifest()
    assert project.reuses()
    project.add(file, edit)
    assert not project.reuses()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("helpers.py", "x + 1", "x + 2"),
        ("helpers.py", "shift(x)", "shift(x, y=1)"),
        ("helpers.py", "factor=2", "factor=3"),
        ("helpers.py", "x * factor", "x ** factor"),
        ("helpers.py", "return x + 1", "return TABLE"),
        ("pipeline.py", "RATE = 3", "RATE = 4"),
        ("pipeline.py", "local(scale(x))", "local(x)"),
        ("pipeline.py", "@deco\n", ""),
        ("pipeline.py", "return function", "return lambda x: function(x)"),
    ],
)
def test_edited_functions_are_walked(project: Project, file: str, old: str, new: str) -> None:
    project.manifest()
    project.write(file, f"# lines move\n{PROJECT[file].replace(old, new, 1)}")
    assert not project.reuses()


def test_values_from_the_environment_are_taken_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.manifest()
    monkeypatch.setenv("KEPT_MANIFESTS", "2")
    assert not project.reuses()


def test_a_moved_module_is_another_one(project: Project) -> None:
    project.manifest()
    (project.root / "helpers").mkdir()
    (project.root / "helpers.py").rename(project.root / "helpers/__init__.py")
    assert not project.reuses()


def test_the_given_values_count(project: Project) -> None:
    project.manifest({"value": [1, 2]})
    assert project.reuses({"value": [1, 2]})
    assert not project.reuses({"value": [1, 3]})
    assert not project.reuses()


@pytest.mark.parametrize(
    "definition",
    [
        "class K: pass\ndef stage(x): return K",
        "class K: pass\nvalue = K()\ndef stage(x): return value",
        "def stage(x): return x\ndef stage(x): return -x",
        "def stage(x, y=1): return x",
        "def stage(x):\n    import helpers as late\n    return late.shift(x)",
        "def stage(x): return eval(x)",
        "def stage(x): return helpers",
        "def stage(x): return missing",
        "def stage(x): return stage.__doc__",
        "TABLE = [local]\ndef stage(x): return TABLE",
        "TABLE = (each for each in ())\ndef stage(x): return TABLE",
        "@functools.cache\ndef stage(x): return x",
        "math.mark = 1\ndef stage(x): return math.sqrt(x)",
        "def first(x, y=1): return x\nsecond = first\ndef first(x, y=1): return x\ndef stage(x): return first, second",
        "def first(x): return x\nsecond = first\ndef first(x): return x\ndef stage(x): return first, second",
        "def make():\n    def inner(x): return x\n    return inner\nstage = make()",
        "stage = functools.partial(local)",
        "type Alias = int\ndef stage(x): return Alias",
        "old, gone = helpers.shift, sys.modules.pop('helpers')\nimport helpers\ndef stage(x): return old(x)",
        "exec('def made(x): return x')\ndef stage(x): return made",
        "with open(other.__file__, 'w'): pass\ndef stage(x): return other.given(x)",
    ],
)
def test_manifests_of_other_walks_are_not_kept(project: Project, definition: str) -> None:
    project.add("other.py", "def given(x): return x")
    project.write("pipeline.py", PROJECT["pipeline.py"].replace("def stage", "def before"))
    project.add("pipeline.py", definition)
    project.manifest()
    assert not project.reuses()


def test_long_chains_and_circles_of_functions_with_defaults_are_walked(project: Project) -> None:
    chain = "".join(f"def f{number}(x, y=1): return f{number + 1}(x)\n" for number in range(300))
    project.add("pipeline.py", f"{chain}def f300(x, y=1): return around(x)\ndef around(x, y=1): return f299, around")
    project.write("pipeline.py", (project.root / "pipeline.py").read_text().replace("def stage", "def before"))
    project.add("pipeline.py", "def stage(x): return f0(x)")
    assert not project.reuses()


def test_a_manifest_with_code_in_a_given_value_is_not_kept(project: Project) -> None:
    project.add("other.py", "def given(x): return x")

    def values() -> dict[str, object]:
        return {"value": importlib.import_module("other").given}

    for edit in ("", "def given(x): return -x"):
        project.add("other.py", edit)
        source_file._FILES.clear()
        with project._importable(project.root):
            stage = importlib.import_module("pipeline").stage
            with Fingerprinter(memo=project.memo, root=project.root, kept_as="name") as fingerprinter:
                kept = fingerprinter.fingerprint(stage, values())
            assert kept == fingerprint(stage, root=project.root, values=values())


@pytest.mark.parametrize("options", [{"kept_as": None}, {"root": None}, {"memo": None}])
def test_nothing_is_kept_without_a_name_a_root_or_a_memo(project: Project, options: dict[str, object]) -> None:
    key = key_of(project.root)
    source_file._FILES.clear()
    with project._importable(project.root):
        given = {"memo": project.memo, "root": project.root, "kept_as": "name"} | options
        with Fingerprinter(**given) as fingerprinter:  # type: ignore[arg-type]
            fingerprinter.fingerprint(importlib.import_module("pipeline").stage)
    assert key not in project.memo


def test_nothing_is_kept_after_an_error(project: Project) -> None:
    def fail() -> None:
        with Fingerprinter(memo=project.memo, root=project.root, kept_as="name") as fingerprinter:
            fingerprinter.fingerprint(importlib.import_module("pipeline").stage)
            raise ZeroDivisionError

    with project._importable(project.root), pytest.raises(ZeroDivisionError):
        fail()
    assert not project.reuses()


def test_damaged_manifests_are_made_again(project: Project) -> None:
    project.manifest()
    key = key_of(project.root)
    project.memo[key] = b"damaged"
    assert project.manifest() == project.walked()
    assert project.memo[key] != b"damaged"


def test_files_whose_outlines_are_not_read_lead_to_those_that_act_on_libraries(project: Project) -> None:
    project.write("quiet.py", "import inner\ndef used(x): return x\n")
    project.write("inner.py", "import os\n")
    project.write("pipeline.py", "import math, quiet\ndef stage(x): return quiet.used(math.sqrt(x))\n")
    project.manifest()
    assert project.reuses()
    project.write("inner.py", "import math\nmath.tau = 6\n")
    assert not project.reuses()
    assert "effects:inner:math" in project.manifest()
    project.write("inner.py", "import os\n")
    assert "effects:inner:math" not in project.manifest()
    assert project.reuses()


def test_reading_ahead_skips_files_that_do_nothing_else(project: Project) -> None:
    project.write("quiet.py", "import os\n")
    project.write("pipeline.py", "import quiet\ndef stage(x): return x\n")
    expected = project.manifest()
    memo = ReadMemo(project.memo)
    source_file._FILES.clear()
    with Fingerprinter(memo=memo, root=project.root, kept_as="name") as fingerprinter:
        fingerprinter.read_ahead([str(project.root / name) for name in ("quiet.py", "pipeline.py", "other.py")])
    assert memo_key((project.root / "quiet.py").read_bytes()) not in memo.read
    assert memo_key((project.root / "other.py").read_bytes()) in memo.read
    assert project.manifest() == expected


def test_only_a_change_is_written(project: Project) -> None:
    project.manifest()
    key = key_of(project.root)
    written = project.memo[key]
    project.manifest()
    assert project.memo[key] is written
    project.add("helpers.py", "def shift(x): return x")
    project.manifest()
    assert project.memo[key] != written


def test_another_version_of_this_package_keeps_its_own_manifests(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.manifest()
    (tmp_path / "package/__pycache__").mkdir(parents=True)
    (tmp_path / "package/__pycache__/more.pyc").touch()
    (tmp_path / "package/more.py").touch()
    import pivot_fingerprint

    before = disk.own_version()
    monkeypatch.setattr(pivot_fingerprint, "__path__", [*pivot_fingerprint.__path__, str(tmp_path / "package")])
    assert "more.pyc" not in disk.own_version()
    assert disk.own_version() != before
    assert not project.reuses()


PARTS = {
    "pipeline.py": "import helpers\ndef one(x): return helpers.a(x)\ndef two(x): return helpers.b(x) + K\nK = 1\n",
    "helpers.py": "def a(x): return low(x)\ndef b(x): return low(x) + 1\ndef low(x): return x\n",
}


@pytest.fixture
def parts(project: Project) -> Project:
    for name, text in PARTS.items():
        project.write(name, text)
    return project


def in_parts(project: Project, *, between: Callable[[], object] = lambda: None) -> None:
    """Fingerprint each of two stages as its own part, in a process of its own, and join both."""
    for part in ("one", "two"):
        source_file._FILES.clear()
        with (
            project._importable(project.root),
            Fingerprinter(memo=project.memo, root=project.root, kept_as="name", part=part) as fingerprinter,
        ):
            fingerprinter.fingerprint(getattr(importlib.import_module("pipeline"), part))
        between()
    Fingerprinter.join_kept(project.memo, project.root, "name", ["one", "two"])


def kept_stages(project: Project) -> set[str]:
    """The stages whose kept manifests are used; in any case, the manifests are those of walks."""
    project.mark()
    source_file._FILES.clear()
    with (
        project._importable(project.root),
        Fingerprinter(memo=project.memo, root=project.root, kept_as="name") as fingerprinter,
    ):
        module = importlib.import_module("pipeline")
        found = {name: fingerprinter.fingerprint(getattr(module, name)) for name in ("one", "two")}
        source_file._FILES.clear()
        for name, manifest in found.items():
            if {entry.digest for entry in manifest.values()} != {MARK}:
                assert manifest == fingerprint(getattr(module, name), root=project.root)
    return {name for name, manifest in found.items() if {entry.digest for entry in manifest.values()} == {MARK}}


def test_parts_are_kept_together(parts: Project) -> None:
    in_parts(parts)

    assert kept_stages(parts) == {"one", "two"}


@pytest.mark.parametrize(
    ("name", "old", "new", "kept"),
    [
        ("helpers.py", "def a(x): return low(x)", "def a(x): return x", {"two"}),
        ("helpers.py", "def b(x): return low(x) + 1", "def b(x): return 1", {"one"}),
        ("helpers.py", "def low(x): return x", "def low(x): return [x]", set()),
        ("pipeline.py", "K = 1", "K = 2", set()),
    ],
)
def test_an_edit_after_parts(parts: Project, name: str, old: str, new: str, kept: set[str]) -> None:
    in_parts(parts)
    parts.write(name, PARTS[name].replace(old, new))

    assert kept_stages(parts) == kept


def test_files_edited_between_two_parts(parts: Project) -> None:
    in_parts(parts, between=lambda: parts.write("helpers.py", PARTS["helpers.py"] + "def more(): pass\n"))

    assert kept_stages(parts) == set()


def test_parts_with_different_values_are_not_joined(parts: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are of two loads at once."""
    values = iter("ab")
    text = (
        PARTS["pipeline.py"]
        .replace("helpers.a(x)", "helpers.a(x) + K")
        .replace("K = 1", "import os\nK = os.environ['K']")
    )
    parts.write("pipeline.py", text)
    monkeypatch.setenv("K", next(values))
    in_parts(parts, between=lambda: monkeypatch.setenv("K", next(values, "b")))

    assert kept_stages(parts) == set()


def test_a_lost_part_leaves_what_was_kept_before(parts: Project) -> None:
    in_parts(parts)
    before = parts.memo[key_of(parts.root)]
    Fingerprinter.join_kept(parts.memo, parts.root, "name", ["one", "lost"])

    assert parts.memo[key_of(parts.root)] == before
