"""Diffs lead to the very files that they were made from, and apply nowhere else."""

import difflib
import pathlib
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot_core.errors import PathError
from pivot_runtime.inspecting import diff_patch
from pivot_runtime.inspecting.diff_patch import EditedFile, PatchError

lines = st.lists(
    st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "-- x\n", "+++ y\n", "@@ -1 +1 @@\n", "\\ z\n"]), max_size=30
)


def applied(diff: str | bytes, **files: str) -> dict[str, EditedFile | None]:
    """The edited files; each argument is a file, with ``_`` for the dot of its name."""
    given_files = {name.replace("_", "."): text.encode() for name, text in files.items()}
    patches = diff_patch.parse(diff.encode() if isinstance(diff, str) else diff)
    return diff_patch.apply(patches, given_files.get)


@given(lines, lines, st.integers(0, 4))
def test_a_diff_leads_from_one_text_to_the_other(old: list[str], new: list[str], around: int) -> None:
    diff = "".join(difflib.unified_diff(old, new, "a/x.py", "b/x.py", n=around))

    if old == new:
        with pytest.raises(PatchError, match="changes no file"):
            diff_patch.parse(diff.encode())
    else:
        assert applied(diff, x_py="".join(old)) == {"x.py": EditedFile("".join(new).encode())}


@given(st.text("ab\n\r", max_size=12), st.text("ab\n\r", max_size=12), st.sampled_from(["/dev/null", "a/x.py"]))
def test_no_diff_changes_a_file_that_it_was_not_made_from(old: str, other: str, name: str) -> None:
    diff = "".join(difflib.unified_diff(old.splitlines(True), ["new\n"], name, "b/x.py"))

    if old.endswith("\n") and not other.startswith(old) and "\r" not in old:
        with pytest.raises(PatchError):
            applied(diff, x_py=other)


def git(directory: pathlib.Path, *words: str) -> bytes:
    identity = ("-c", "user.name=n", "-c", "user.email=e@x")
    done = subprocess.run(["git", *identity, *words], cwd=directory, capture_output=True, check=True)
    return done.stdout


NAMES = ["plain.py", "with blank.py", 'ü\n\t"q\\.py', "a/deep/x.py", "b/x.py"]


@pytest.mark.parametrize(
    "options", [[], ["--no-prefix"], ["-c", "diff.mnemonicPrefix=true"], ["-M", "-C", "--find-copies-harder"], ["-U0"]]
)
def test_what_git_writes_is_understood(tmp_path: pathlib.Path, options: list[str]) -> None:
    git(tmp_path, "init", "-q")
    for number, name in enumerate(NAMES):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{number} {line}\n" for line in range(20)))
    (tmp_path / "empty.py").touch()
    (tmp_path / "ending.py").write_text("no end of line")
    (tmp_path / "script.sh").write_text("#!/bin/sh\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    before = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    }

    for name in NAMES:
        file = tmp_path / name
        file.write_text(file.read_text().replace(" 3\n", " three\n").replace(" 17\n", ""))
    (tmp_path / "a" / "deep" / "x.py").rename(tmp_path / "moved to.py")
    (tmp_path / "copy.py").write_text((tmp_path / "plain.py").read_text())
    (tmp_path / "ending.py").write_text("with it\n")
    (tmp_path / "new_ending.py").write_text("without")
    (tmp_path / "new empty.py").touch()
    (tmp_path / "empty.py").unlink()
    (tmp_path / "script.sh").chmod(0o755)
    git(tmp_path, "add", "-A")
    after = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }
    words = options[:2] if options[:1] == ["-c"] else []
    diff = git(tmp_path, *words, "diff", "--cached", *([] if words else options))

    found = diff_patch.apply(diff_patch.parse(diff), before.get)

    kept = {name: each for name, each in before.items() if not name.startswith(".git/")}
    result = {**kept, **{path: each and each.content for path, each in found.items()}}
    assert {name: content for name, content in result.items() if content is not None} == after
    assert found["script.sh"] == EditedFile(b"#!/bin/sh\n", executable=True)


contents = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "-- x\n", "é\n", "\\ z\n"]), max_size=12).map("".join)
texts = st.tuples(contents, st.sampled_from(["", "", "the end"])).map("".join)
trees = st.dictionaries(st.sampled_from(["x.py", "y.py", "b/x.py", "a b/ü.py", 'q"\t.py']), texts, max_size=5)


def tree_of(directory: pathlib.Path, files: dict[str, str]) -> str:
    """The tree of these files in a repository."""
    git(directory, "read-tree", "--empty")
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(text.encode())
        git(directory, "update-index", "--add", name)
    return git(directory, "write-tree").decode().strip()


def test_every_diff_of_git_leads_to_the_files_that_git_has(tmp_path: pathlib.Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "core.autocrlf", "false")
    options = st.lists(
        st.sampled_from(["--no-prefix", "-M10%", "-C10%", "-B10%", "-U0", "-U1"]), unique=True, max_size=3
    )

    @settings(max_examples=max(settings().max_examples // 2, 5), deadline=None)
    @given(trees, trees, options)
    def check(before: dict[str, str], after: dict[str, str], words: list[str]) -> None:
        if before == after:
            return
        diff = git(tmp_path, "diff", *words, tree_of(tmp_path, before), tree_of(tmp_path, after))

        old = {name: text.encode() for name, text in before.items()}
        found = diff_patch.apply(diff_patch.parse(diff), old.get)
        result = {name: EditedFile(text) for name, text in old.items()} | found
        left = {name: each.content.decode() for name, each in result.items() if each is not None}
        assert left == after

    check()


SWAP = """\
diff --git a/x.py b/y.py
similarity index 100%
rename from x.py
rename to y.py
diff --git a/y.py b/x.py
similarity index 100%
rename from y.py
rename to x.py
"""
COPY = """\
diff --git a/x.py b/x.py
--- a/x.py
+++ b/x.py
@@ -1 +1 @@
-a
+b
diff --git a/x.py b/z.py
similarity index 100%
copy from x.py
copy to z.py
"""


def test_renames_and_copies_are_of_the_files_before_the_diff() -> None:
    assert applied(SWAP, x_py="a\n", y_py="b\n") == {"x.py": EditedFile(b"b\n"), "y.py": EditedFile(b"a\n")}
    assert applied(COPY, x_py="a\n") == {"x.py": EditedFile(b"b\n"), "z.py": EditedFile(b"a\n")}


def test_a_new_file_may_be_in_a_directory_that_is_called_like_a_prefix() -> None:
    new = "new file mode 100644\n--- /dev/null\n+++ b/x.py\n@@ -0,0 +1 @@\n+c\n"

    assert applied(f"diff --git b/x.py b/x.py\n{new}") == {"b/x.py": EditedFile(b"c\n", executable=False)}
    for header in ("a/x.py b/x.py", "a/dev/null b/x.py"):
        assert applied(f"diff --git {header}\n{new}") == {"x.py": EditedFile(b"c\n", executable=False)}


@pytest.mark.parametrize("numbers", ["", "@@ ... @@", f"@@ -1,{'9' * 5000} +1 @@", "@@@ -1 -1 +1 @@@", "@@ -x +y @@"])
def test_a_hunk_is_never_left_out(numbers: str) -> None:
    with pytest.raises(PatchError):
        applied(f"--- a/x.py\n+++ b/x.py\n{numbers}\n-a\n+b\n", x_py="a\n")


def test_the_message_of_a_commit_around_a_diff_is_left_out() -> None:
    diff = "From 12\nSubject: x\n---\n x.py | 2 +-\n\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n-- \n2.39\n"

    assert applied(diff, x_py="a\n") == {"x.py": EditedFile(b"b\n")}


def test_changes_of_one_file_follow_each_other() -> None:
    one = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"

    assert applied(one + one.replace("+b", "+c").replace("-a", "-b"), x_py="a\n") == {"x.py": EditedFile(b"c\n")}


@pytest.mark.parametrize(
    "path", ["../x.py", "/etc/passwd", ".pivot/../x", "a/.pivot/x", ".git/hooks/x", "a/../../x", "a//x", "."]
)
def test_a_path_outside_the_project_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        applied(f"--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n" if path[0] != "/" else f"--- {path}\n+++ {path}\n")


@pytest.mark.parametrize(
    ("diff", "problem"),
    [
        ("", "changes no file"),
        ("hello\n", "changes no file"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-b\n+c\n", "hunk 1 does not fit x.py: line 1 is 'a', not 'b'"),
        ("--- a/x.py\n+++ b/x.py\n@@ -2 +2 @@\n-a\n+c\n", "line 2 is the end of the file"),
        ("--- a/x.py\n+++ b/x.py\n@@ -9 +9 @@\n-a\n+c\n", "begins after the end"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1,2 +1 @@\n-a\n+c\n", "fewer lines than it says"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1 +1,0 @@\n a\n", "other lines than it says"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+c\n@@ -1 +1 @@\n-a\n+c\n", "begins before the end"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+c\n", "without an end of line"),
        ("--- a/y.py\n+++ b/y.py\n@@ -1 +1 @@\n-a\n+c\n", "changes y.py, which does not exist"),
        ("--- /dev/null\n+++ b/x.py\n@@ -0,0 +1 @@\n+c\n", "creates x.py, which exists"),
        ("--- a/x.py\n+++ /dev/null\n@@ -1,0 +0,0 @@\n", "not all of its lines"),
        ("diff --git a/p.png b/p.png\nindex 1..2 100644\nBinary files a/p.png and b/p.png differ\n", "binary file"),
        ("diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+x\n", "symbolic link"),
    ],
)
def test_a_diff_that_does_not_fit_says_where(diff: str, problem: str) -> None:
    with pytest.raises(PatchError, match=problem) as caught:
        applied(diff, x_py="a\n")

    assert caught.value.hint
