"""Rechecked code is the same with a memory and without, whatever has been edited."""

import os
import pathlib
import sys
import tempfile
import time

from hypothesis import example, given
from hypothesis import strategies as st

from pivot_core.lock import CodeEntry
from pivot_core.spec import Location
from pivot_runtime.evaluating.observed_code import ObservedCode

FILES = ("a.py", "b.py")
KEYS = ("func:m:f", "const:m:A", "module:m", "func:m:gone")
ENTRIES = {
    f"{key}{'' if file == 'a.py' else '2'}": CodeEntry("0" * 32, Location(file, 1)) for file in FILES for key in KEYS
}

texts = st.sampled_from(
    ["A = 1\ndef f(): pass\n", "A = 2\ndef f(): pass\n", "A = 1\ndef f(): return 2\n", "def f(:\n", ""]
)
edits = st.tuples(st.sampled_from(FILES), st.one_of(st.none(), texts), st.sets(st.sampled_from(sorted(ENTRIES))))


def settle(root: pathlib.Path) -> None:
    """Let any later edit give a file another mark."""
    newest = max((path.stat().st_ctime_ns for path in root.iterdir()), default=0)
    while time.time_ns() < newest + 20_000_000:
        os.sched_yield()


@given(st.lists(edits, min_size=1, max_size=6), st.booleans())
@example([("a.py", "A = 1\n", set(ENTRIES)), ("a.py", "A = 2\n", set(ENTRIES))], True)
def test_a_memory_changes_nothing(edits: list[tuple[str, str | None, set[str]]], settled: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for file, text, asked in edits:
            if text is None:
                (root / file).unlink(missing_ok=True)
            else:
                (root / file).write_text(text)
            if settled:
                settle(root)
            observed = {key: ENTRIES[key] for key in sorted(asked)}
            remembering = ObservedCode(root, root / "memory")
            expected = ObservedCode(root).current(observed)
            assert remembering.current(observed) == remembering.current(observed) == expected
            assert remembering.hold(expected)
            remembering.close()


def test_unchanged_files_are_not_read(tmp_path: pathlib.Path) -> None:
    root, opened = tmp_path, list[str]()
    for file in FILES:
        (root / file).write_text("A = 1\ndef f(): pass\n")
    settle(root)
    on = True

    def note(event: str, args: tuple[object, ...]) -> None:
        if on and event == "open" and str(args[0]).endswith(FILES):
            opened.append(pathlib.Path(str(args[0])).name)

    def now() -> dict[str, CodeEntry]:
        opened.clear()
        observed = ObservedCode(root, root / "memory")
        found = observed.current(ENTRIES)
        observed.close()
        return found

    sys.addaudithook(note)
    try:
        first = now()
        assert sorted(set(opened)) == sorted(FILES)
        assert now() == first
        assert opened == []
        (root / "a.py").touch()
        settle(root)
        assert now() == first
        assert set(opened) == {"a.py"}
        (root / "memory").write_bytes((root / "memory").read_bytes()[:-3])
        assert now() == first
        assert sorted(set(opened)) == sorted(FILES)
    finally:
        on = False
