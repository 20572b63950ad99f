"""Observation in real processes: which code is recorded, in which children, and that programs do not notice it."""

# ruff: noqa: E501 - projects as texts

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pivot_fingerprint import ManifestError, Observed, Ran

DRIVER = """
import json, os, sys
from pathlib import Path
sys.dont_write_bytecode = True
root = Path(sys.argv[1])
if __name__ == "__main__":
    sys.path.insert(0, str(root))
    import pipeline
    from pivot_fingerprint import Observer, fingerprint, uncovered
    manifest = fingerprint(pipeline.stage, root=root)
    spool = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with Observer(root=root, spool=spool) as observer:
        pipeline.stage()
    found = uncovered(observer.observed, manifest, root=root)
    keys = {entry.key: [entry.file, entry.line, entry.digest] for entry in found}
    print(json.dumps({"observed": observer.observed.to_json(), "uncovered": keys}))
"""


class Result(NamedTuple):
    observed: Observed
    uncovered: dict[str, tuple[str, int, str | None]]

    @property
    def names(self) -> list[str]:
        return [f"{ran.module}:{ran.qualname}" for ran in self.observed.ran]


type Run = Callable[..., Result]


@pytest.fixture
def run(write: Callable[[str], Path], tmp_path: Path) -> Run:
    """Run `pipeline.stage()` of a project in another process, under observation."""

    def run(project: str, *, spool: bool = True, seed: str = "0") -> Result:
        root = write(project)
        driver = tmp_path / "drive.py"
        driver.write_text(DRIVER)
        command: list[str | Path] = [
            sys.executable,
            driver,
            root,
            *([root.with_name(f"{root.name}-spool")] if spool else []),
        ]
        env = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        return Result(Observed.from_json(told["observed"]), {key: tuple(row) for key, row in told["uncovered"].items()})

    return run


# Chosen at run time

PLUGINS = """
import importlib, json, settings
from pathlib import Path
def stage():
    name = json.loads((Path(__file__).parent / "config.json").read_text())
    return importlib.import_module("plugins." + name).run(2)
# file: config.json
"a"
# file: plugins/__init__.py
# file: plugins/a.py
from settings import RATE, UNUSED
FACTOR = RATE * 2
OTHER = 5
def run(x):
    return help_out(x) * FACTOR
def help_out(x):
    return x + 1
def idle(x):
    return x
# file: plugins/b.py
def run(x):
    return x
# file: settings.py
RATE = 1
UNUSED = 2
"""


def test_a_plugin_chosen_by_a_file_yields_entries(run: Run) -> None:
    result = run(PLUGINS)

    assert list(result.uncovered) == [
        "const:plugins.a:FACTOR",
        "const:settings:RATE",
        "effects:plugins.a",
        "func:plugins.a:help_out",
        "func:plugins.a:run",
        "module:plugins",
    ]
    assert result.uncovered["func:plugins.a:help_out"][:2] == ("plugins/a.py", 6)
    assert all(digest is not None for *_, digest in result.uncovered.values())
    assert result.observed.incomplete == ()


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("return x + 1", "return x + 2", ["func:plugins.a:help_out"]),
        ("FACTOR = RATE * 2", "FACTOR = RATE * 3", ["const:plugins.a:FACTOR"]),
        ("OTHER = 5", "import os\nOTHER = 6\nclass Idle:\n    x = 1\ndef idler():\n    pass", []),
        ("OTHER = 5", "print(5)", ["effects:plugins.a"]),
        ("RATE = 1", "RATE = 7", ["const:settings:RATE"]),
        ("    return x + 1", "    # why\n    return (x+1)", []),
        ("def idle(x):\n    return x", "def idle(x):\n    return [x]", []),
        ("UNUSED = 2", "UNUSED = 3", []),
    ],
)
def test_an_edit_of_what_ran_changes_its_entry_alone(run: Run, old: str, new: str, keys: list[str]) -> None:
    before, after = run(PLUGINS).uncovered, run(PLUGINS.replace(old, new, 1)).uncovered

    assert list(before) == list(after)
    assert [key for key in before if before[key][2] != after[key][2]] == keys


def test_a_plugin_imported_before_the_run_brings_its_constants(run: Run) -> None:
    result = run(
        "import importlib\nNAME = 'plug' + 'in'\nplugin = vars(importlib.import_module(NAME))\n"
        "def stage():\n    return eval('plugin')['run'](1)\n"
        "# file: plugin.py\nimport functools\nfrom tools import LIMIT as L, make\nfrom base import *\nimport ns.deep\n"
        "RATE = make(3)\nclass Options:\n    x = 1\nOTHER = 1\n"
        "def run(x):\n    return unused if x > 5 else RATE + Options.x + L + FAR + ns.deep.K\n"
        "def unused(x):\n    return OTHER\n"
        "# file: tools.py\nLIMIT = 3\ndef make(x):\n    return deeper(x)\ndef deeper(x):\n    return x\ndef idle():\n    pass\n"
        "# file: base.py\nFAR = 1\nNEAR = 2\n# file: ns/deep.py\nK = 5\n"
    )

    assert list(result.uncovered) == [
        "class:plugin:Options",
        "const:base:FAR",
        "const:ns.deep:K",
        "const:plugin:RATE",
        "const:tools:LIMIT",
        "func:plugin:run",
        "func:tools:deeper",
        "func:tools:make",
    ]


def test_functions_in_a_registry_are_known_or_found(run: Run) -> None:
    known = (
        "import registry, plugins\ndef stage():\n    return registry.R['a'](1)\n"
        "# file: registry.py\nR = {}\ndef register(f):\n    R[f.__name__] = f\n    return f\n"
        "# file: plugins.py\nfrom registry import register\n@register\ndef a(x):\n    return b(x)\ndef b(x):\n    return x\n"
    )
    late = known.replace("import registry, plugins", "import registry").replace(
        "def stage():\n", "def stage():\n    __import__('plug' + 'ins')\n"
    )

    assert list(run(known).uncovered) == []
    assert list(run(late).uncovered) == [
        "effects:plugins",
        "func:plugins:a",
        "func:plugins:b",
        "func:registry:register",
    ]


def test_calls_during_the_import_of_a_known_module_never_count(run: Run) -> None:
    result = run(
        "def stage():\n    import lazy\n    return lazy.f()\n"
        "# file: lazy.py\nfrom logs import logger\nlog = logger()\nTABLE = [i for i in map(lambda x: x, range(3))]\n"
        "def f():\n    return 1\n# file: logs.py\ndef logger():\n    return 5\n"
    )

    assert "logs:logger" in result.names
    assert [ran.importing for ran in result.observed.ran if ran.qualname == "logger"] == ["lazy"]
    assert result.uncovered == {}


def test_an_import_and_a_call_of_the_same_function_is_a_call(run: Run) -> None:
    result = run(
        "def stage():\n    import lazy, logs\n    return vars(logs)['log' + 'ger'](), lazy.f()\n"
        "# file: lazy.py\nfrom logs import logger\nlog = [logger() for _ in range(1500)]\ndef f():\n    return 1\n"
        "# file: logs.py\ndef logger():\n    return 5\n"
    )

    assert [ran.importing for ran in result.observed.ran if ran.qualname == "logger"] == [""]


# Every way to run

WAYS = {
    "a thread": "import threading\n    t = threading.Thread(target=target)\n    t.start()\n    t.join()",
    "a pool of threads": "from concurrent.futures import ThreadPoolExecutor as P\n    with P(2) as pool:\n        list(pool.map(target, [1]))",
    "a callback from C": "sorted([2, 1], key=target)",
    "a coroutine": "import asyncio\n    async def main():\n        return target()\n    asyncio.run(main())",
    "a process pool": "from concurrent.futures import ProcessPoolExecutor as P\n    import multiprocessing as m\n"
    "    with P(2, mp_context=m.get_context('fork')) as pool:\n        list(pool.map(target, [1]))",
    "a process by spawn": "import multiprocessing as m\n    p = m.get_context('spawn').Process(target=target)\n    p.start()\n    p.join()",
    "a process by a fork server": "import multiprocessing as m\n    p = m.get_context('forkserver').Process(target=target)\n"
    "    p.start()\n    p.join()",
    "a process of a process by spawn": "import multiprocessing as m\n    p = m.get_context('spawn').Process(target=middle)\n"
    "    p.start()\n    p.join()",
    "a pool of processes": "import multiprocessing as m\n    with m.get_context('spawn').Pool(1) as pool:\n        pool.map(target, [1])",
    "a fork that ends at once": "import os\n    pid = os.fork()\n    if not pid:\n        target()\n        os._exit(0)\n    os.waitpid(pid, 0)",
    "a fork that is killed": "import os, signal\n    pid = os.fork()\n    if not pid:\n        target()\n"
    "        os.kill(os.getpid(), signal.SIGKILL)\n    os.waitpid(pid, 0)",
    "a fork that closes all files": "import os\n    pid = os.fork()\n    if not pid:\n        os.closerange(0, 100)\n        target()\n"
    "        os._exit(0)\n    os.waitpid(pid, 0)",
    "a fork of a fork": "import os\n    pid = os.fork()\n    if not pid:\n        pid = os.fork()\n        if not pid:\n            target()\n"
    "            os._exit(0)\n        os.waitpid(pid, 0)\n        os._exit(0)\n    os.waitpid(pid, 0)",
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_run_is_observed(run: Run, way: str) -> None:
    result = run(
        f"from work import target, middle\ndef stage():\n    {WAYS[way]}\n"
        "# file: work.py\ndef target(*args):\n    return 0\ndef middle():\n    import multiprocessing as m\n"
        "    p = m.get_context('spawn').Process(target=target)\n    p.start()\n    p.join()\n"
    )

    assert "work:target" in result.names
    assert result.observed.incomplete == ()
    assert result.uncovered == {}


def test_all_kinds_of_code_are_named(run: Run) -> None:
    result = run(
        "import functools\nfrom late import f\n"
        "def generate():\n    yield from range(3)\n"
        "async def coroutine():\n    return [i async for i in agenerate()]\nasync def agenerate():\n    yield 1\n"
        "class C:\n    limit = 3\n    def method(self):\n        return sum(i for i in range(3))\n"
        "    class Inner:\n        def deep(self):\n            return (lambda: 1)()\n"
        "table = {'a': lambda x: x}\n"
        "def make():\n    def inner[T](x: T) -> T:\n        return x\n    return inner\nmade = make()\n"
        "def idle():\n    pass\n"
        "def stage():\n    import asyncio\n    C().method(), C.Inner().deep(), table['a'](1), made(1)\n    f(1)\n"
        "    class Local:\n        x = 1\n    return list(generate()), asyncio.run(coroutine())\n"
        "# file: late.py\n@(lambda f: f)\ndef f(x, key=lambda y: y):\n    return key(x)\n"
    )

    assert result.names == [
        "late:<lambda>",
        "late:f",
        "pipeline:<lambda>",
        "pipeline:C.Inner.deep",
        "pipeline:C.Inner.deep.<locals>.<lambda>",
        "pipeline:C.method",
        "pipeline:C.method.<locals>.<genexpr>",
        "pipeline:agenerate",
        "pipeline:coroutine",
        "pipeline:generate",
        "pipeline:make.<locals>.inner",
        "pipeline:stage",
    ]
    assert result.uncovered == {}


def test_a_generator_that_was_started_before_is_observed(run: Run) -> None:
    result = run(
        "def resumed():\n    yield 1\n    yield 2\ndef thrown():\n    try:\n        yield 1\n    except KeyError:\n        yield 2\n"
        "def untouched():\n    yield 1\n"
        "a, b, c = resumed(), thrown(), untouched()\nnext(a), next(b), next(c)\n"
        "def stage():\n    next(a)\n    b.throw(KeyError)\n"
    )

    assert result.names == ["pipeline:resumed", "pipeline:stage", "pipeline:thrown"]


def test_a_users_file_that_is_executed_is_observed(run: Run) -> None:
    result = run(
        "import runpy\nfrom pathlib import Path\nHERE = Path(__file__).parent\n"
        "def stage():\n    runpy.run_path(str(HERE / 'script.py'), run_name='__main__')\n"
        "    text = (HERE / 'other.py').read_text()\n"
        "    exec(compile(text, str(HERE / 'other.py'), 'exec'), {})\n    exec('x = 1')\n"
        "# file: script.py\ndef main():\n    return 1\nmain()\n# file: other.py\ndef g():\n    return 1\ng()\n"
    )

    assert result.names == ["other:<module>", "other:g", "pipeline:stage", "script:<module>", "script:main"]
    assert list(result.uncovered) == ["func:other:g", "func:script:main", "module:other", "module:script"]


def test_libraries_are_not_observed(run: Run) -> None:
    result = run(
        "def stage():\n    import json, argparse, xxhash\n    return json.dumps(argparse.Namespace().__dict__)\n"
    )

    assert result.names == ["pipeline:stage"]


def test_the_hash_seed_changes_nothing(run: Run) -> None:
    one, other = run(PLUGINS, seed="1"), run(PLUGINS, seed="2")

    assert one.observed == other.observed
    assert one.uncovered == other.uncovered


# Unobservable code is reported

FORKING = "import os\ndef stage():\n    pid = os.fork()\n    if not pid:\n        os._exit(0)\n    os.waitpid(pid, 0)\n"
SPAWNING = "import multiprocessing as m\nfrom work import f\ndef stage():\n    p = m.get_context('spawn').Process(target=f)\n    p.start()\n    p.join()\n# file: work.py\ndef f():\n    pass\n"


@pytest.mark.parametrize(
    ("project", "reason"),
    [
        (FORKING, "a process was forked, and there is no directory"),
        (SPAWNING, "a process of `multiprocessing` was started in which nothing could be observed"),
        (
            "import subprocess, sys\ndef stage():\n    subprocess.run([sys.executable, '-c', ''])\n",
            "a Python program was started",
        ),
        (
            "import subprocess, sys\ndef stage():\n    subprocess.run('exit 0; python3 x', shell=True)\n",
            "a Python program was started",
        ),
    ],
)
def test_a_child_that_cannot_be_observed_is_named(run: Run, project: str, reason: str) -> None:
    (told,) = run(project, spool=False).observed.incomplete

    assert told.startswith(reason)


STARTING = """
import os, subprocess, sys
def stage():
    here = os.path.dirname(os.path.abspath(__file__))
    for words in ([sys.executable, "script.py"], [sys.executable, "-c", "import tool; tool.f()"]):
        told = subprocess.run(words, cwd=here, capture_output=True, text=True)
        assert told.stdout in ("None False False mine\\n", ""), told
        assert not told.returncode and not told.stderr, told
# file: script.py
import json, os, subprocess, sys, tool
tool.f()
subprocess.run([sys.executable, "-c", "import tool; tool.g()"], check=True)
print(os.environ.get("PYTHONPATH"), "boot-" in str(sys.path), "pivot_fingerprint" in sys.modules, json.X)
# file: json.py
X = "mine"
# file: tool.py
def f():
    return 1
def g():
    return 2
"""


def test_python_programs_that_are_started_are_observed_and_do_not_see_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    result = run(STARTING)

    assert result.observed.incomplete == ()
    assert list(result.uncovered) == ["func:tool:f", "func:tool:g", "module:json", "module:script", "module:tool"]


STARTS = """
import os, subprocess, sys
def forked(replace):
    pid = os.fork()
    if not pid:
        try:
            replace()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def start(*args):
    return os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(*args), 0)[1])
def stage():
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    os.environ["PATH"] = os.path.dirname(sys.executable) + ":/bin:/usr/bin"
    os.chmod("tool", 0o755)
    me, name, environment = sys.executable, os.path.basename(sys.executable), dict(os.environ)
    os.environ["UNSET"] = "set"
    for number, way in enumerate(WAYS):
        words = [me, "script.py", f"f{number}"]
        os.putenv("PUT", f"f{number}")
        os.unsetenv("UNSET")
        assert eval(way, globals() | locals()) == 0, way
        assert os.environ.get("PYTHONPATH") == environment.get("PYTHONPATH"), way
        assert subprocess.run(["sh", "-c", "echo $PYTHONPATH"], capture_output=True).stdout == b"\\n", way
# file: script.py
import os, sys
assert "boot-" not in os.environ.get("PYTHONPATH", "")
assert "UNSET" not in os.environ and os.environ["PUT"] == sys.argv[1], os.environ
import plugin
getattr(plugin, sys.argv[1])()
# file: plugin.py
FUNCTIONS
# file: tool
#!PYTHON
import script
"""


def started(run: Run, ways: list[str]) -> Result:
    functions = "\n".join(f"def f{number}(): pass" for number in range(len(ways)))
    project = STARTS.replace("WAYS", repr(ways)).replace("FUNCTIONS", functions)
    return run(project.replace("#!PYTHON", f"#!{sys.executable}"))


def test_a_python_program_is_observed_however_it_is_started(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    ways = [
        "os.system(' '.join(words))",
        "os.system(b' '.join(word.encode() for word in words))",
        "os.system(f'./tool {words[2]}')",
        "forked(lambda: os.execv(me, words))",
        "forked(lambda: os.execvp(name, words))",
        "os.spawnv(os.P_WAIT, me, words)",
        "os.spawnlp(os.P_WAIT, name, *words)",
        "subprocess.run(words).returncode",
        "subprocess.run(words, env=environment | {'PUT': words[2]}, close_fds=False).returncode",
        "subprocess.run(['./tool', words[2]]).returncode",
    ]
    result = started(run, ways)

    assert result.observed.incomplete == ()
    assert {f"func:plugin:f{number}" for number in range(len(ways))} <= result.uncovered.keys()


def test_a_python_program_that_is_started_otherwise_and_not_observed_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for way in [
        "os.system('PYTHONPATH= ' + ' '.join(words))",
        "os.system(f'{me} -I script.py 2>/dev/null') and 0",
        "os.spawnvpe(os.P_WAIT, name, words, environment | {'PUT': words[2]})",
        "start(me, words, environment | {'PUT': words[2]})",
    ]:
        assert started(run, [way]).observed.incomplete == (
            "a Python program was started: what ran in it was not observed",
        )


def test_other_programs_are_not_listed(run: Run) -> None:
    assert run("import subprocess\ndef stage():\n    subprocess.run(['true'])\n").observed.incomplete == ()


def test_a_users_class_that_looks_like_a_launcher_is_an_ordinary_class(run: Run) -> None:
    result = run(
        "class Popen:\n    def _launch(self, process_obj):\n        pass\ndef stage():\n    Popen()._launch(1)\n"
    )

    assert result.names == ["pipeline:Popen._launch", "pipeline:stage"]


# As a value


def test_json_round_trip() -> None:
    observed = Observed.of([Ran("b.py", "b", "g", 2), Ran("a.py", "a", "f", 1), Ran("a.py", "a", "f", 1, "b")], ["why"])

    assert observed.ran == (Ran("a.py", "a", "f", 1), Ran("b.py", "b", "g", 2))
    assert Observed.from_json(json.loads(json.dumps(observed.to_json()))) == observed


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ([], "observed"),
        ({"schema": 1, "ran": []}, "observed"),
        ({"schema": 2, "ran": [], "incomplete": []}, "schema"),
        ({"schema": True, "ran": [], "incomplete": []}, "schema"),
        ({"schema": 1, "ran": {}, "incomplete": []}, "ran"),
        ({"schema": 1, "ran": [], "incomplete": "x"}, "incomplete"),
        ({"schema": 1, "ran": [], "incomplete": [1]}, "incomplete[0]"),
        ({"schema": 1, "ran": [["a.py", "a", "f", 1]], "incomplete": []}, "ran[0]"),
        ({"schema": 1, "ran": [["a.py", "a", "f", "1", ""]], "incomplete": []}, "ran[0]"),
        ({"schema": 1, "ran": [["a.py", "a", None, 1, ""]], "incomplete": []}, "ran[0]"),
        ({"schema": 1, "ran": ["a.py"], "incomplete": []}, "ran[0]"),
    ],
)
def test_invalid_json_is_refused(data: object, field: str) -> None:
    with pytest.raises(ManifestError) as caught:
        Observed.from_json(data)

    assert caught.value.field == field
