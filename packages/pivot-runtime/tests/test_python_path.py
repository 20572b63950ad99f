"""The `PYTHONPATH` of commands with a start file: what a program sees of it once the start file has removed itself."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from pivot_fingerprint.observation import ProgramRun
from pivot_runtime.programs import python_path
from pivot_runtime.programs.start_files import ProgramTracer
from pivot_runtime.tracing.tracer import StageTracer
from pivot_runtime.tracing.usage import TraceOptions

SEEN = 'import os, sys; print(os.environ.get("PYTHONPATH"), len(sys.path), sys.path[1:4])'
UNOBSERVED = "a Python program was started: what ran in it was not observed"
BASH = ("bash", "--noprofile", "--norc", "-e", "-c")


def tracer_in(root: pathlib.Path) -> ProgramTracer:
    run = ProgramRun(files=True, place=str(root / ".pivot/state.db/programs/p.s"))
    return ProgramTracer(str(root), str(root / "spool"), run)


SAME = [
    "python x.py",
    "PYTHONPATH=src python x.py",
    'export PYTHONPATH="src:$PYTHONPATH"; python x.py',
    "cd a && A=1 PYTHONPATH=src:lib exec python ../x.py",
    "env PYTHONPATH=/src:~/lib python x.py",
    "PYTHONPATH=src${PYTHONPATH:+:$PYTHONPATH} python x.py",
    "PYTHONPATH=$(pwd)/src:${PYTHONPATH} python x.py # PYTHONPATH",
    "unset PYTHONPATH && python x.py",
    "export PYTHONPATH; python x.py; echo PYTHONPATH=src",
    "if true; then PYTHONPATH=src python x.py; fi",
    "PYTHONPATH+=:src python x.py",
    "MY_PYTHONPATH=$PYTHONPATHS python x.py",
    "PYTHONPATH='a b':c\\ d python x.py",
]


@pytest.mark.parametrize(
    ("text", "before"), [*((text, None) for text in SAME), *((text, "/one:/two") for text in SAME[:7]), (SAME[0], "")]
)
def test_a_program_sees_the_same(text: str, before: str | None, tmp_path: pathlib.Path) -> None:
    root = tmp_path / "with space"
    (root / "a").mkdir(parents=True)
    (root / "x.py").write_text(SEEN)
    tracer = tracer_in(root)
    environ = {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}", "HOME": "/nowhere"}
    environ |= {} if before is None else {"PYTHONPATH": before}
    start = tracer.bash(text, environ, str(root))
    alone, observed = (
        subprocess.run([*BASH, each], env=env, cwd=root, capture_output=True, text=True, check=True)
        for each, env in ((text, environ), (start.text, start.environ))
    )

    assert observed.stdout == alone.stdout
    assert observed.stderr == alone.stderr
    assert start.environ != environ
    assert text.startswith("unset") or os.listdir(root / "spool")


@pytest.mark.parametrize(
    "text",
    [
        'echo "$PYTHONPATH"',
        "export PYTHONPATH=${PYTHONPATH:-src}",
        '[ -z "$PYTHONPATH" ] && PYTHONPATH=src python x.py',
        "test -v PYTHONPATH",
        "env PYTHONPATH=~/src python x.py",
        "cat <<END\nPYTHONPATH\nEND",
        "bash -c 'PYTHONPATH=src python x.py'",
        "PYTHONPATH=$PYTHONPATH:x python a.py; PYTHONPATH=x${PYTHONPATH:+:$PYTHONPATH} python b.py",
        "make PYTHONPATH=$PYTHONPATH",
    ],
)
def test_commands_that_look_at_it_do_not_get_it(text: str) -> None:
    assert python_path.observed(text, None, "/place") is None


def test_scripts_and_makefiles_that_look_at_it_do_not_get_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "run.sh").write_text(": ${PYTHONPATH:=src}\nexport PYTHONPATH\npython x.py\n")
    (tmp_path / "Makefile").write_text("export PYTHONPATH ?= src\nall:\n\tpython x.py\n")
    (tmp_path / "good.sh").write_text('export PYTHONPATH="src:$PYTHONPATH"\npython x.py\n')
    tracer = tracer_in(tmp_path)

    for text in ("bash run.sh; python x.py", "make all && python x.py"):
        assert tracer.bash(text, {}, str(tmp_path)) == (text, {})
    assert tracer.bash("./good.sh", {}, str(tmp_path)).environ == {"PYTHONPATH": tracer.place}
    stage = StageTracer(TraceOptions(), root=str(tmp_path), declared=(), spool=str(tmp_path / ".pivot/spool"))
    with stage:
        stage.programs.bash("make all", {}, str(tmp_path))
    assert stage.used.read == ()
    colon = tracer_in(tmp_path / "a:b")
    assert colon.bash("python x.py", {}, str(tmp_path)) == ("python x.py", {})
    assert colon.close() == ("the path of the project has a colon: what ran in Python programs was not observed",)
    assert tracer.close() == (
        "its command looks at PYTHONPATH: what ran in the Python programs that it starts was not observed",
    )


@pytest.mark.parametrize(
    "text", ["unset PYTHONPATH; python x.py", "env -i python x.py", "env -u PYTHONPATH python x.py"]
)
def test_programs_that_lose_the_start_file_are_known(text: str) -> None:
    found = python_path.observed(text, None, "/place")
    script = python_path.observed("./run.sh", None, "/place", ["PYTHONPATH=src python x.py"])
    kept = python_path.observed("python x.py -i; ./run.sh", None, "/place", ["PYTHONPATH=src:$PYTHONPATH python x.py"])

    assert [each and each.lost for each in (found, script, kept)] == [True, True, False]
    assert python_path.observed(text, None, "/place:else") is None


def test_scripts_that_were_not_seen_to_run_are_named(tmp_path: pathlib.Path) -> None:
    names = ("é.py", "b.py", "made.py", "env/bin/c.py")
    for name in (*names, "env/pyvenv.cfg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    place = str(tmp_path / ".pivot/state.db/programs/p.s")
    spool, run = tmp_path / "spool", ProgramRun((str(tmp_path / "made.py"),), files=True, place=place)
    tracer = ProgramTracer(str(tmp_path), str(spool), run)
    tracer.bash("; ".join(f"python {name}" for name in (*names, "/usr/bin/d.py", "$E.py")), {}, str(tmp_path))
    (spool / "1.unsure").write_text(json.dumps(["é.py", "é", "<module>", 1, ""]) + '\n"a reason"\n')
    assert tracer.close() == ("no run of the Python program 'b.py' was observed",)

    for text, told in (("cat b.py", ()), ("cd x; python b.py", (UNOBSERVED,)), ("python -E b.py", (UNOBSERVED,))):
        other = ProgramTracer(str(tmp_path), str(tmp_path / "none"), run)
        other.bash(text, {}, str(tmp_path))
        assert other.close() == told
