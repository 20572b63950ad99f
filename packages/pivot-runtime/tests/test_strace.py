"""The output of strace, read: only calls that succeeded, whatever is in a name, also calls that others interrupt."""

import pathlib
import shutil

import pytest
from source_projects import Sources
from test_tracer import Bench

from pivot_runtime.tracing import strace
from pivot_runtime.tracing.usage import UsedFiles

TEXT = r"""7 openat(AT_FDCWD</p>, "a.csv", O_RDONLY|O_CLOEXEC) = 3</p/a.csv>
7 openat(AT_FDCWD</p>, "/p/b.csv", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 4</p/b.csv>
7 openat(AT_FDCWD</p>, "absent.csv", O_RDONLY) = -1 ENOENT (No such file or directory)
8 openat(5</p/sub>, "c\n\303\251\".csv", O_RDWR) = 6</p/sub/c>
7 openat(AT_FDCWD</p>, "slow.csv", O_RDONLY <unfinished ...>
8 openat(AT_FDCWD</p>, "sub", O_RDONLY|O_NONBLOCK|O_CLOEXEC|O_DIRECTORY) = 9</p/sub>
7 <... openat resumed>)             = 3</p/slow.csv>
7 rename("x", "y")                  = 0
7 renameat2(AT_FDCWD</p>, "x", AT_FDCWD</p/sub>, "z", RENAME_NOREPLACE) = 0
7 symlinkat("target", AT_FDCWD</p>, "link") = 0
7 truncate("cut", 0)                = 0
8 execve("./tool", ["./tool", "argument"], 0x7ffc /* 20 vars */) = 0
8 execve("/bin/sh", ["sh"], 0x7ffc /* 20 vars */ <unfinished ...>
9 open("old", O_RDONLY)             = 3</elsewhere/old>
8 unlink("gone")                    = 0
8 +++ exited with 0 +++
7 --- SIGINT {si_signo=SIGINT} ---
"""


def test_system_calls_are_parsed() -> None:
    assert list(strace.used_files(TEXT.splitlines(keepends=True), "/p")) == [
        ("/p/a.csv", False),
        ("/p/b.csv", True),
        ('/p/sub/c\né".csv', True),
        ("/p/slow.csv", False),
        ("/p/y", True),
        ("/p/sub/z", True),
        ("/p/link", True),
        ("/p/cut", True),
        ("/p/tool", False),
        ("/p/old", False),
    ]


PIPELINE = """
import ctypes
import os
import subprocess

def native(x: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("out.txt", Text())]:
    descriptor = ctypes.CDLL(None).open(b"by c.bin", os.O_RDONLY)
    assert descriptor > 0
    subprocess.run(["sh", "-c", "cd sub && cat table.csv in.txt > ../made.csv; true"], stderr=subprocess.DEVNULL)
    return x

pipeline.register(native)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace here")
def test_files_opened_by_c_libraries_and_programs(tmp_path: pathlib.Path) -> None:
    files = {"in.txt": "", "by c.bin": "", "sub/table.csv": "1"}
    bench = Bench(Sources(tmp_path / "project", {"pipeline.py": PIPELINE, **files}))

    assert bench.seen("native") == UsedFiles()
    assert bench.seen("native", trace=True) == UsedFiles(read=("by c.bin", "sub/table.csv"), wrote=("made.csv",))


def test_without_strace_a_stage_fails_with_words(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    project = Sources(tmp_path / "project", {"pipeline.py": PIPELINE, "in.txt": ""})
    failure = Bench(project).run("native", trace=True).failure

    assert failure is not None
    assert failure.summary == "strace, which --trace-io needs, is not on the PATH"
