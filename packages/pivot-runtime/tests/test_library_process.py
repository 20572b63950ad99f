"""A host that is forked from a process with libraries answers as a host that imports them itself, or not at all."""

import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_projects import Sources

from pivot_runtime.errors import HostError, LoadError
from pivot_runtime.freshness.load_trace import TYPE
from pivot_runtime.freshness.stamps import VARIABLE, VARIABLES
from pivot_runtime.loading import host_client
from pivot_runtime.loading.fork_server import ForkServer, PreloadError
from pivot_runtime.loading.host_client import HostClient
from pivot_runtime.loading.loaded import Loaded

STAGE = """
def stage(x: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("out.txt", Text())]:
    return x + str(USED)

pipeline.register(stage)
"""
COUNTED = "import os\nwith open(os.path.join({place!r}, __name__), 'a') as file:\n    file.write('.')\n"

type Installed = Callable[..., None]


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Sources:
    return Sources((tmp_path / "project").resolve())


@pytest.fixture
def installed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Install libraries: modules by file name."""
    site = (tmp_path / "site-packages").resolve()
    site.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def install(**modules: str) -> None:
        for name, text in modules.items():
            write_library(site, name, text)

    return install


def write_library(site: pathlib.Path, name: str, text: str) -> None:
    file = site / f"{name.replace('__in__', '/')}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def counted(tmp_path: pathlib.Path) -> Callable[[str], int]:
    """How often a library was imported that has `COUNTED` in its text."""

    def count(name: str) -> int:
        file = tmp_path / name
        return len(file.read_text()) if file.exists() else 0

    return count


class Server:
    """A fork server with libraries."""

    def __init__(self, project: Sources, names: Sequence[str], name: str = "pipeline.py") -> None:
        self.project = project
        self.answers: list[Mapping[str, Any]] = []
        self.server = ForkServer.begin(quiet=True)
        self.server.preload(project.root, project.root / name, names)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def host(self) -> HostClient:
        return self.server.host(unshared=self.answers.append)

    def load(self, name: str = "pipeline.py") -> Loaded | None:
        """Load in a host that is gone afterwards; None if it could not use the libraries."""
        with self.host() as host:
            return host.load(self.project.root, self.project.root / name)


def facts(loaded: Loaded) -> set[tuple[str, str, str]]:
    """The facts that a load depended on; values of variables are salted."""
    assert loaded.trace is not None
    return {
        (kind, subject, "" if kind in (VARIABLE, VARIABLES) else value) for kind, subject, value in loaded.trace.facts
    }


def is_of_pivot(fact: tuple[str, str, str]) -> bool:
    kind, subject, _ = fact
    return "/.pivot/" in subject or (kind == TYPE and subject.endswith("/pipeline.py"))


def assert_same(shared: Loaded | None, alone: Loaded) -> None:
    """Each of them depends on the same facts; one that finds less of what Pivot keeps looks for more files."""
    assert shared is not None
    assert shared == alone
    assert {fact for fact in facts(shared) ^ facts(alone) if not is_of_pivot(fact)} == set()
    assert {subject for _, subject, _ in facts(alone) if "<" in subject} == set()  # the names of code in no file
    assert shared.trace is not None
    assert alone.trace is not None
    assert set(shared.trace.requested) == set(alone.trace.requested)


def asked(project: Sources, name: str = "pipeline.py") -> tuple[str, ...]:
    """The modules that an import of the project asks for."""
    _, host = host_client.load(project.root, project.root / name, quiet=True)
    host.close()
    return host.asked


LIBRARIES = {
    "big": "import base, json.tool\nfrom os import stat\nVALUE = base.VALUE\ndef f(x): return x\n",
    "base": "VALUE = 1\nREGISTRY = {}\n"
    "def change():\n    import os, big\n    os.environ['READ_BY_IT'] = 'x'\n    import reading\n",
    "changing": "import big, os\nos.environ['READ_BY_IT'] = 'x'\nimport reading\n",
    "setting": "import os\nos.environ.setdefault('SETTING', 'on')\nos.environ.pop('REMOVED', None)\nimport base\n",
    "warning": "import warnings\nwarnings.filterwarnings('ignore', message='told by this library')\n"
    "warnings.simplefilter('always', ImportWarning, append=True)\n",
    "finding": "import sys\nclass Finder:\n    def find_spec(self, *_): return None\nsys.meta_path.append(Finder())\n",
    "reading": "import os\nVALUE = os.environ.get('READ_BY_IT', '') + str(os.path.exists('optional.cfg'))\n",
    "drawing": "import random\nVALUE = random.random()\n",
    "package__in____init__": "import big\n",
    "package__in__part": "from package import big\n",
    "optional": "try:\n    import no_such_library\nexcept ImportError:\n    pass\n",
}
EQUAL = {
    "one": "import big\nUSED = big.VALUE\n",
    "from one": "from big import VALUE as USED, f\n",
    "several": "import base\nimport big\nimport optional\nUSED = big.f(1) + base.VALUE\n",
    "a part of a package": "import package.part\nUSED = package.part.big.VALUE\n",
    "a part from a package": "from package import part\nUSED = part.big.VALUE\n",
    "a variable that is set": "import setting\nimport os\nUSED = os.environ['SETTING']\n",
    "filters": "import warnings\nimport warning\nUSED = str(warnings.filters)\n",
    "a finder": "import sys\nimport finding\nUSED = [type(each).__name__ for each in sys.meta_path[1:]][-1]\n",
    "a variable that is read": "import reading\nUSED = reading.VALUE\n",
    "random numbers": "import drawing\nUSED = 1\n",
    "what is imported so far": "import sys\nSEEN = 'big' in sys.modules\nimport base\nHAS = hasattr(base, 'x')\n"
    "import big\nUSED = SEEN, HAS, 'big' in sys.modules, 'base' in sys.modules\n",
    "a module of the user between": "import big\nimport mine\nimport base\nUSED = mine.VALUE\n",
    "in a function": "def f():\n    import big\n    return big.VALUE\nUSED = f()\n",
    "by name": "import importlib\nUSED = importlib.import_module('big').VALUE\n",
    "a result that is used": "import big\nNUMBER = big.f(3)\nimport warning\nUSED = NUMBER\n",
}


@pytest.mark.parametrize("text", EQUAL.values(), ids=EQUAL.keys())
def test_a_load_with_shared_libraries_equals_one_without(project: Sources, installed: Installed, text: str) -> None:
    installed(**LIBRARIES)
    project.write("mine.py", "import warning\nVALUE = 2\n")
    project.write("pipeline.py", text + STAGE)
    alone, host = host_client.load(project.root, project.root / "pipeline.py", quiet=True)
    host.close()
    with Server(project, host.asked) as server:
        shared = server.load()
        assert server.answers == []
        assert_same(shared, alone)


def test_libraries_are_imported_once(
    project: Sources, installed: Installed, counted: Callable[[str], int], tmp_path: pathlib.Path
) -> None:
    installed(**LIBRARIES, counted=COUNTED.format(place=str(tmp_path)))
    project.write("pipeline.py", "import counted\nimport mine\nUSED = mine.VALUE\n" + STAGE)
    project.write("mine.py", "VALUE = 1\n")
    names = asked(project)
    with Server(project, names) as server:
        first = server.load()
        project.write("mine.py", "VALUE = 2\n")
        second = server.load()

    assert counted("counted") == len(("alone", "shared"))
    assert first is not None
    assert second is not None
    assert first.stages != second.stages
    assert_same(second, project.load())


LEFT_OUT = {
    "a thread": ("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n", "threads"),
    "a patch": ("import json\njson.dumps = lambda _: 'x'\n", "it replaces functions of Python"),
    "a patch of the built-in functions": ("import builtins\nbuiltins.open = lambda *_: 1\n", "it replaces functions"),
    "a seed": ("import random\nrandom.seed(3)\n", "random numbers"),
    "another directory": ("import os\nos.chdir('/')\n", "directory"),
    "a program": ("import subprocess\nsubprocess.run('true')\n", "its import cannot be recorded"),
    "output": ("print('hello')\n", "it prints"),
    "an open file": ("import os\nFILE = open(os.devnull)\n", "it keeps files open"),
    "a temporary directory": ("import tempfile\nDIRECTORY = tempfile.mkdtemp()\n", "names of temporary files"),
    "an error": ("raise ValueError('broken')\n", "its import fails: ValueError"),
    "the end of the process": ("import os\nos._exit(1)\n", "its import ends the process"),
    "a signal": ("import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n", "signals"),
    "a place to search": ("import sys\nsys.path.append('/elsewhere')\n", "path"),
    "a module of the user": ("import mine\n", "it imports modules of the user"),
    "a way to start processes": (
        "import multiprocessing\nmultiprocessing.set_start_method('spawn', force=True)\n",
        "processes",
    ),
    "a handler": ("import logging\nlogging.basicConfig()\n", "logging"),
    "a timeout": ("import socket\nsocket.setdefaulttimeout(5)\n", "timeout"),
    "a limit of another module": ("import csv\ncsv.field_size_limit(1 << 20)\n", "fields of tables"),
    "a precision": ("import decimal\ndecimal.getcontext().prec = 50\n", "decimal numbers"),
    "a precision for threads": ("import decimal\ndecimal.DefaultContext.prec = 50\n", "decimal numbers"),
    "a stack size": ("import threading\nthreading.stack_size(1 << 20)\n", "stack size"),
    "symbols for other libraries": (
        "import os, sys\nsys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)\n",
        "libraries in C",
    ),
    "a timer": ("import signal\nsignal.setitimer(signal.ITIMER_VIRTUAL, 3600)\n", "timers"),
    "a built-in name": ("import builtins\nbuiltins.another = 1\n", "builtins"),
}


@pytest.mark.parametrize(("action", "shared"), [("default", True), ("error", False)])
@pytest.mark.parametrize("through", ["", "import mine\n"], ids=["directly", "through a module of the user"])
def test_filters_of_a_library_that_is_not_shared(
    project: Sources, installed: Installed, action: str, shared: bool, through: str
) -> None:
    """Only an error could make another import of a later one."""
    outer = f"import inner, warnings\nwarnings.simplefilter('{action}', ImportWarning, append=True)\n"
    inner = "import warnings\nwarnings.simplefilter('default', UnicodeWarning)\n"
    installed(**LIBRARIES, outer=outer, inner=inner)
    project.write("mine.py", "import outer\n")
    project.write("pipeline.py", f"import base\n{through or 'import outer'}\nimport big\nUSED = 1\n" + STAGE)
    with Server(project, ["base", "big"]) as server:
        loaded = server.load()
        assert (loaded is not None) == shared
        if shared:
            assert_same(loaded, project.load())


@pytest.mark.parametrize(("text", "reason"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_libraries_that_do_not_survive_this_are_left_out(
    project: Sources, installed: Installed, text: str, reason: str
) -> None:
    installed(good="", hostile=text)
    project.write("mine.py", "")
    with Server(project, ["good", "hostile"]) as server, pytest.raises(PreloadError) as caught:
        server.host()

    assert caught.value.name == "hostile"
    assert reason in caught.value.reason


UNSHARED = {
    "a variable": "import os\nos.environ['READ_BY_IT'] = 'x'\nimport reading\n",
    "a variable that bypasses it": "import os\nos.putenv('READ_BY_IT', 'x')\nimport reading\n",
    "a filter": "import warnings\nwarnings.simplefilter('error')\nimport reading\n",
    "a patch": "import json\njson.dumps = print\nimport reading\n",
    "a directory": "import os\nos.chdir('..')\nimport reading\n",
    "a place to search": "import sys\nsys.path.insert(0, '/elsewhere')\nimport reading\n",
    "a limit": "import sys\nsys.setrecursionlimit(2000)\nimport reading\n",
    "a seed": "import random\nrandom.seed(1)\nimport reading\n",
    "a module in its place": "import sys\nsys.modules['base'] = sys\nimport reading\nimport big\n",
    "a value of a library": "import base\nbase.VALUE = 2\nimport reading\n",
    "a content of a library": "import base\nbase.REGISTRY['x'] = 1\nimport reading\n",
    "a call for its effect": "import big\nbig.f(1)\nimport reading\n",
    "swallowed": "import os\nos.environ['READ_BY_IT'] = 'x'\n"
    "try:\n    import reading\nexcept BaseException:\n    pass\n",
    "a library that is not shared": "import changing\n",
    "text that is executed": 'exec(\'import base, os; os.environ["READ_BY_IT"] = "x"; import reading\')\n',
    "a function of a library": "import base\nY = base.change()\n",
    "no import": "",
}


@pytest.fixture(scope="module")
def with_libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A process with libraries, from which each test forks a host."""
    place = tmp_path_factory.mktemp("libraries").resolve()
    site = place / "site-packages"
    for name, text in LIBRARIES.items():
        write_library(site, name, text)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PYTHONPATH", str(site))
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        project = Sources(place / "project")
        project.write("pipeline.py", "USED = 1\n" + STAGE)
        with Server(project, ["base", "big", "reading"]) as server:
            yield server


@pytest.mark.parametrize("text", UNSHARED.values(), ids=UNSHARED.keys())
def test_code_that_might_change_an_import_does_without(with_libraries: Server, text: str) -> None:
    with_libraries.answers.clear()
    with_libraries.project.write("pipeline.py", text + "import base\nimport big\nUSED = 1\n" + STAGE)
    assert with_libraries.load() is None
    (answer,) = with_libraries.answers

    assert not answer["outdated"]
    assert answer["name"] in ("reading", "base", "big")


def test_an_import_that_fails_needs_not_have_used_all(project: Sources, installed: Installed) -> None:
    installed(**LIBRARIES)
    project.write("pipeline.py", "import base\nUSED = undefined\nimport big\n" + STAGE)
    with Server(project, ["base", "big"]) as server, pytest.raises(LoadError, match="undefined"):
        server.load()

    assert server.answers == []


def test_what_the_libraries_depended_on_counts(
    project: Sources, installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(**LIBRARIES)
    project.write("pipeline.py", "import reading\nUSED = reading.VALUE\n" + STAGE)
    with Server(project, ["reading"]) as server:
        before = server.load()
        (project.root / "optional.cfg").touch()
        assert server.load() is None
        (answer,) = server.answers

    assert before is not None
    assert answer["outdated"]
    assert answer["reason"] == str(project.root / "optional.cfg")


def test_a_library_that_is_edited_where_it_is_installed(project: Sources, installed: Installed) -> None:
    """Its directory does not change then."""
    installed(package__in____init__="", package__in__part="VALUE = 1\n")
    project.write("pipeline.py", "import package.part\nUSED = package.part.VALUE\n" + STAGE)
    with Server(project, ["package", "package.part"]) as server:
        before = server.load()
        installed(package__in__part="VALUE = 2\n")
        assert server.load() is None
        (answer,) = server.answers

    assert before is not None
    assert answer["outdated"]
    assert answer["reason"].endswith("package/part.py")


def test_a_library_that_is_edited_while_it_is_imported(project: Sources, installed: Installed) -> None:
    installed(big="import os, time\nos.utime(__file__, ns=(time.time_ns(), time.time_ns()))\n")
    project.write("pipeline.py", "import big\nUSED = 1\n" + STAGE)
    with Server(project, ["big"]) as server:
        assert server.load() is None
        (answer,) = server.answers

    assert answer["outdated"]


def test_a_module_of_the_user_with_the_name_of_an_optional_library(project: Sources, installed: Installed) -> None:
    """It would be imported by the library."""
    installed(**LIBRARIES)
    project.write("pipeline.py", "import optional\nUSED = 1\n" + STAGE)
    with Server(project, ["optional"]) as server:
        assert_same(server.load(), project.load())
        project.write("no_such_library.py", "")
        assert server.load() is None


def test_a_module_added_to_the_path_later_is_found(
    project: Sources, installed: Installed, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has listed the directory before."""
    installed(**LIBRARIES)
    (tmp_path / "more").mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'more'}:{os.environ['PYTHONPATH']}")
    project.write("pipeline.py", "import big\nUSED = 1\n" + STAGE)
    with Server(project, ["big"]) as server:
        server.load()
        (tmp_path / "more" / "added.py").write_text("VALUE = 3\n")
        project.replace("pipeline.py", "USED = 1", "import added\nUSED = added.VALUE")
        assert_same(server.load(), project.load())


def test_files_that_pivot_writes_are_no_facts(project: Sources) -> None:
    """The digest of a variable is written when it is new."""
    project.write("pipeline.py", "import os\nos.environ['SET_BY_IT'] = 'x'\nUSED = 1\n" + STAGE)
    loaded = project.load()

    assert (project.root / ".pivot/state.db/assigned.json").exists()
    assert {subject for _, subject, _ in facts(loaded) if ".pivot" in subject} == set()


STATEMENTS = (
    *(f"import {name}" for name in ("big", "base", "setting", "warning", "finding", "reading", "drawing", "optional")),
    *("from package import part", "import package", "import mine", "import json", "from big import f, VALUE", "X = 1"),
    *(
        "import os; os.environ['SETTING'] = 'x'",
        "import warnings; warnings.simplefilter('error')",
        "import base.nothing",
    ),
    *("import changing", "import base; Z = base.change()", "exec('import base, big, reading')"),
    *("import big; big.f(1)", "import big; Y = big.f(1)", "import base; base.VALUE = 7", "def f(): import base"),
    *("import random; random.seed(1)", "import sys; SEEN = 'base' in sys.modules", "import json; json.dumps = print"),
)


@given(st.lists(st.sampled_from(STATEMENTS), max_size=6), st.booleans())
@settings(max_examples=int(os.environ.get("TEST_LIBRARY_EXAMPLES", "12")))
def test_any_program_is_loaded_equally_or_not_at_all(
    programs: tuple[Server, ForkServer], statements: Sequence[str], first: bool
) -> None:
    """Whatever it imports and changes, in whatever order."""
    shared, fresh = programs
    project = shared.project
    imported = "import base\nimport big\nimport package.part\nimport setting\nimport warning\nimport reading\n"
    lines = "\n".join(statements)
    text = f"{imported}{lines}\n" if first else f"{lines}\n{imported}"
    values = "USED = {name: value for name, value in globals().items() if name.isupper()}\n"
    project.write("pipeline.py", f"{text}{values}" + STAGE.replace("USED", "USED, base.VALUE, big.VALUE, os.environ"))
    answers: list[tuple[Loaded | None, str]] = []
    shared.answers.clear()
    for make in (shared.host, fresh.host):
        with make() as host:
            try:
                answers.append((host.load(project.root, project.root / "pipeline.py"), ""))
            except LoadError as error:
                answers.append((None, str(error)))
    if not shared.answers:
        (one, problem), (other, other_problem) = answers
        assert problem == other_problem
        if other is not None:
            assert_same(one, other)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, ForkServer]]:
    """A process with libraries, and one without."""
    place = tmp_path_factory.mktemp("programs").resolve()
    site = place / "site-packages"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PYTHONPATH", str(site))
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        for name, text in LIBRARIES.items():
            write_library(site, name, text)
        project = Sources(place / "project")
        project.write("mine.py", "import warning\nVALUE = 2\n")
        names = ["base", "big", "package", "package.part", "setting", "warning", "reading"]
        with Server(project, names) as shared:
            fresh = ForkServer.begin(quiet=True)
            yield shared, fresh
            fresh.close()


class TestAnotherDirectory:
    """A pipeline in another directory than that for which the libraries were imported."""

    @pytest.fixture(autouse=True)
    def libraries(self, project: Sources, installed: Installed) -> None:
        installed(
            **LIBRARIES,
            keeping="import os, pathlib\nHERE, PLACE = os.getcwd(), pathlib.Path.cwd()\n",
            inside="import os\nFILE = os.path.abspath('some.cfg')\n",
            passed="import os\nHERE = os.environ['HERE']\n",
            listing="import os\nos.listdir('.')\n",
        )
        project.write("pipeline.py", "import big\nUSED = 1\n" + STAGE)

    def write(self, project: Sources, name: str) -> None:
        project.write("pipeline.py", f"import {name}\nUSED = 1\n" + STAGE)
        (project.root / "sub").mkdir()
        (project.root / "sub/pipeline.py").write_text((project.root / "pipeline.py").read_text())

    @pytest.mark.parametrize("name", ["big", "reading", "optional"])
    def test_equal(self, project: Sources, name: str) -> None:
        self.write(project, name)
        with Server(project, [name]) as server:
            shared, alone = server.load("sub/pipeline.py"), project.load("sub/pipeline.py")

        assert shared == alone
        assert shared is not None
        assert {fact for fact in facts(alone) - facts(shared) if not is_of_pivot(fact)} == set()

    def test_what_differs_there(self, project: Sources) -> None:
        self.write(project, "reading")
        (project.root / "sub/optional.cfg").touch()
        with Server(project, ["reading"]) as server:
            assert server.load("sub/pipeline.py") is None

    def test_a_library_that_keeps_the_directory(self, project: Sources) -> None:
        """It has that of the host, and `changed` sees only what the user's code changes then."""
        self.write(project, "keeping; import big; HERE = keeping.HERE, keeping.PLACE")
        file = project.root / "sub/pipeline.py"
        file.write_text(file.read_text().replace("USED = 1", "USED = HERE"))
        with Server(project, ["keeping", "big"]) as server:
            assert_same(server.load("sub/pipeline.py"), project.load("sub/pipeline.py"))

    def test_a_library_that_keeps_a_variable_of_the_same_value(
        self, project: Sources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HERE", str(project.root))
        self.write(project, "passed")
        with Server(project, ["passed"]) as server:
            assert server.load("sub/pipeline.py") is None
            assert_same(server.load(), project.load())

    @pytest.mark.parametrize("name", ["inside", "listing"])
    def test_libraries_that_look_at_the_directory(self, project: Sources, name: str) -> None:
        self.write(project, name)
        with Server(project, [name]) as server:
            assert server.load("sub/pipeline.py") is None
            assert_same(server.load(), project.load())


def test_the_server_can_be_closed_while_it_imports(project: Sources, installed: Installed) -> None:
    installed(endless="while True: pass\n")
    server = Server(project, ["endless"])
    server.server.close()


def test_a_server_that_was_killed(project: Sources, installed: Installed) -> None:
    installed(**LIBRARIES)
    with Server(project, ["big"]) as server:
        server.host().close()
        os.kill(server.server.pid, 9)
        with pytest.raises(HostError):
            server.host()
