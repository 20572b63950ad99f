"""Libraries are recorded by distribution, version and used names, and never count."""

# ruff: noqa: E501 - projects as texts

import importlib
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pivot_fingerprint import Fingerprinter, Library, Manifest

type Take = Callable[..., Manifest]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Install a distribution: its metadata and its files."""
    site = tmp_path / "lib" / "site-packages"
    site.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def install(name: str | None, files: dict[str, str], tops: str = "") -> Path:
        for path, text in files.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(text)
        if name is not None:
            info = site / f"{name.replace('-', '_').lower()}-1.5.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
            (info / "RECORD").write_text("".join(f"{path},,\n" for path in files))
            if tops:
                (info / "top_level.txt").write_text(tops)
        return site

    yield install
    for module in set(sys.modules) - before:
        if module.startswith(("fake", "_fake")):
            del sys.modules[module]


def test_names_and_version(take: Take, install: Callable[..., Path]) -> None:
    install("fakelib", {"fakelib/__init__.py": "def f(): pass\n", "fakelib/deep.py": "class A: pass\n"}, "fakelib\n")
    manifest = take(
        "import fakelib as fl, json\nfrom fakelib.deep import A\nfrom fakelib import f as g\n"
        "def stage(x):\n    return fl.f(), fl.f.x, g(), A(), json.dumps(x), helper()\n"
        "def helper():\n    import fakelib.deep\n    return fakelib.deep.A\n"
    )

    assert manifest.libraries == {"fakelib": Library("1.5", ("fakelib.deep.A", "fakelib.f", "fakelib.f.x"))}
    assert Manifest.from_json(json.loads(json.dumps(manifest.to_json()))) == manifest


def test_they_never_count(take: Take, install: Callable[..., Path]) -> None:
    site = install("fakelib", {"fakelib.py": "def f(): pass\n"})
    project = "import fakelib\ndef stage(x):\n    return fakelib.f()\n"
    before = take(project)
    path = site / "fakelib-1.5.dist-info" / "METADATA"
    path.write_text(path.read_text().replace("1.5", "2.0"))
    after = take(project)

    assert before.digest == after.digest
    assert [each.libraries["fakelib"].version for each in (before, after)] == ["1.5", "2.0"]
    assert before != after


def test_a_distribution_of_another_name(take: Take, install: Callable[..., Path]) -> None:
    """Like `yaml`, which comes from PyYAML."""
    install("Fake-Dist", {"_fakecore.py": "", "fakemod.py": "def f(): pass\n"}, "_fakecore\nfakemod\n")
    manifest = take("import fakemod\nT = [fakemod.f]\ndef stage(x):\n    return T\n")

    assert manifest.libraries == {"Fake-Dist": Library("1.5", ("fakemod.f",))}


def test_a_distribution_without_a_record(take: Take, install: Callable[..., Path]) -> None:
    """Older tools installed such distributions."""
    site = install(None, {"fakemod.py": "def f(): pass\n"})
    info = site / "Fake_Egg-1.5.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: Fake-Egg\nVersion: 1.5\n")
    (info / "SOURCES.txt").write_text("fakemod.py\n")

    assert take("import fakemod\ndef stage(x):\n    return fakemod.f()\n").libraries == {
        "Fake-Egg": Library("1.5", ("fakemod.f",))
    }


@pytest.mark.parametrize(
    "metadata",
    [
        "Metadata-Version: 2.1\nName: fake-dist\nVersion: 1.5\nDescription: x\n Name: other\n\nName: other\nVersion: 2\n",
        "name:fake-dist\nVERSION: \t1.5",
        "Name: fake-dist\nVersion:\n 1.5\n",
        "Name: fake-dist\nName: other\nVersion: 1.5\n",
    ],
)
def test_name_and_version_are_those_of_a_parser_of_all_metadata(
    take: Take, install: Callable[..., Path], metadata: str
) -> None:
    site = install("fake-dist", {"fakelib.py": "def f(): pass\n"})
    (site / "fake_dist-1.5.dist-info" / "METADATA").write_text(metadata)
    (parsed,) = (each for each in importlib.metadata.distributions(path=[str(site)]))

    libraries = take("import fakelib\ndef stage(x):\n    return fakelib.f()\n").libraries
    assert libraries == {parsed.metadata["Name"]: Library(parsed.version, ("fakelib.f",))}
    assert parsed.metadata["Name"] == "fake-dist"


def test_a_distribution_that_is_named_like_another_ones_module(take: Take, install: Callable[..., Path]) -> None:
    install("fakemod", {"fakemod_other.py": ""})
    install("real-dist", {"fakemod.py": "def f(): pass\n"}, "fakemod")

    assert list(take("import fakemod\ndef stage(x):\n    return fakemod.f()\n").libraries) == ["real-dist"]


def test_distributions_that_share_a_namespace(take: Take, install: Callable[..., Path]) -> None:
    install("fakens-one", {"fakens/one/__init__.py": "def f(): pass\n"})
    install("fakens-two", {"fakens/two.py": "def f(): pass\n"})
    manifest = take(
        "import fakens.one\ndef stage(x):\n    from fakens import two\n    import fakens.three\n"
        "    return fakens.one.f(), two.f(), fakens\n"
    )

    assert manifest.libraries["fakens-one"].names == ("fakens.one.f",)
    assert manifest.libraries["fakens-two"].names == ("fakens.two.f",)
    assert manifest.libraries["fakens"].version == "unknown"


def test_a_library_of_no_distribution(take: Take, install: Callable[..., Path]) -> None:
    install(None, {"fakeone.py": "__version__ = '7'\nf = 1\n", "faketwo.py": "__version__ = 7\nf = 1\n"})
    manifest = take("import fakeone, faketwo\ndef stage(x):\n    return fakeone.f, faketwo.f\n")

    assert manifest.libraries == {
        "fakeone": Library("7", ("fakeone.f",)),
        "faketwo": Library("unknown", ("faketwo.f",)),
    }


def test_a_missing_library(take: Take, install: Callable[..., Path]) -> None:
    site = install(None, {"fakeone/__init__.py": "f = 1\n"})
    project = "def stage(x):\n    import fakeone\n    return fakeone.f\n"

    assert take(project).libraries == {"fakeone": Library("unknown", ("fakeone.f",))}
    assert site.exists()


def test_the_standard_library_and_pivot_are_not_listed(take: Take) -> None:
    manifest = take(
        "import json, pivot_fingerprint\nfrom pathlib import Path\nX = Path('.')\n"
        "def stage(x):\n    return json.dumps(x), pivot_fingerprint.diff, X, len(x)\n"
    )

    assert manifest.libraries == {}


def test_installed_libraries() -> None:
    numpy = pytest.importorskip("numpy")
    session = Fingerprinter()
    libraries = session.fingerprint(len, {"v": [numpy.sin, pytest.raises]}).libraries

    assert libraries["numpy"].version == numpy.__version__
    assert libraries["pytest"].version == pytest.__version__


def test_metadata_is_read_only_where_a_library_is_used() -> None:
    script = (
        "import sys\nsys.modules.pop('importlib.metadata', None)\nfrom pivot_fingerprint import fingerprint\nimport json\n"
        "fingerprint(json.dumps)\nprint('importlib.metadata' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


MOVING = """\
__pivot_module__ = "fakelib"

class Base:
    pass

class Kind(Base):
    def __init__(self):
        self.at = Base()

def make(x):
    return x
"""


@pytest.mark.parametrize(
    "project",
    [
        "from fakelib import Kind, make\ndef stage(x):\n    return Kind, make(x)\n",
        "import fakelib as lib\ndef stage(x):\n    return lib.Kind, lib, lib.make(x)\n",
        "from fakelib import Kind\nkind = Kind()\nclass Own(Kind):\n    pass\ndef stage(x):\n    return kind, Own\n",
        "import fakelib\nmade = {'make': fakelib.make, 'in': fakelib}\ndef stage(x):\n    return made, x\n",
        "from functools import partial\nimport fakelib as lib\nboth = partial(lib.make, lib.Kind)\ndef stage(x):\n    return both\n",
        "import sys\nimport fakelib\nhome = sys.modules[fakelib.Kind.__module__]\ndef stage(x):\n    return home, home.Kind\n",
    ],
    ids=["names", "attributes", "instances", "values", "partial", "module"],
)
def test_a_module_with_a_public_name_may_move(take: Take, install: Callable[..., Path], project: str) -> None:
    """A library declares the public name of a module by `__pivot_module__`."""

    def taken(home: str) -> dict[str, str]:
        for module in [name for name in sys.modules if name.startswith("fakelib")]:
            del sys.modules[module]
        importlib.invalidate_caches()
        file = home.replace(".", "/")
        install(None, {"fakelib/__init__.py": f"from {home} import Kind, make\n", f"{file}.py": MOVING})
        return {key: entry.digest for key, entry in take(project).items()}

    assert taken("fakelib._old") == taken("fakelib.room.new")
