"""The time that libraries take when user code imports them; the libraries see nothing of it."""

import importlib
import pathlib
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator

import pytest
from source_projects import Sources

from pivot_runtime.processes import import_timer
from pivot_runtime.processes.import_timer import ImportTimer

SLOW = "import time\nend = time.monotonic() + 0.004\nwhile time.monotonic() < end:\n    pass\n"
MODULES = {
    "mine_pipeline.py": "import mine_helper\nimport slow_second.inner\nimport slow_first\n",
    "mine_helper.py": f"import slow_first\n{SLOW}",
    "slow_first.py": f"import slow_base\n{SLOW}import sys\ngetattr(sys, 'ask_timer', int)()\n",
    "slow_base.py": SLOW,
    "slow_second/__init__.py": SLOW,
    "slow_second/inner.py": "import mine_plugin\n",
    "mine_plugin.py": SLOW,
    "slow_unused.py": SLOW,
    "broken.py": "def f():\n    1 / 0\n\n\nf()\n",
    "mine_broken.py": "import slow_first\nimport broken\n",
    "old.py": "import warnings\nwarnings.warn('old', UserWarning, stacklevel=2)\n",
    "mine_old.py": "import old\n",
}


@pytest.fixture(autouse=True)
def modules(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the modules on the path, and forget those that were imported."""
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def is_user_code(file: str) -> bool:
    return "mine_" in file


def test_the_libraries_that_user_code_imports_with_all_that_they_import() -> None:
    timer = ImportTimer(is_user_code)
    with timer:
        importlib.import_module("mine_pipeline")
    importlib.import_module("slow_unused")
    libraries = timer.libraries()

    assert list(libraries) == ["slow_first", "slow_second"]
    assert all(seconds >= 0.008 for seconds in libraries.values())


def test_modules_of_pivot_that_a_load_imports_for_itself_are_no_libraries(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pivot_own").mkdir()
    (tmp_path / "pivot_own/__init__.py").write_text(SLOW)
    monkeypatch.setattr(import_timer, "_OWN", frozenset({"pivot_own"}))
    timer = ImportTimer(is_user_code)
    with timer:
        importlib.import_module("pivot_own")
        importlib.import_module("slow_unused")

    assert list(timer.libraries()) == ["slow_unused"]


def test_a_library_counts_while_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = ImportTimer(is_user_code)
    seen = []
    monkeypatch.setattr(sys, "ask_timer", lambda: seen.append(timer.libraries()), raising=False)
    with timer:
        importlib.import_module("mine_pipeline")

    (first,) = seen  # after the import of what it imports itself
    assert list(first) == ["slow_first"]
    assert 0.008 <= first["slow_first"] < timer.libraries()["slow_first"]


def test_a_failed_import_is_reported_as_without_a_timer() -> None:
    timer = ImportTimer(is_user_code)
    told = []
    for measured in (True, False):
        with pytest.raises(ZeroDivisionError) as caught, timer if measured else threading.Lock():
            __import__("mine_broken")
        told.append([(each.filename, each.name) for each in traceback.extract_tb(caught.tb)][1:])

    assert told[0] == told[1]
    assert list(timer.libraries()) == ["slow_first"]


def test_a_warning_of_a_module_names_the_line_that_imports_it() -> None:
    with warnings.catch_warnings(record=True, action="always") as caught, ImportTimer(is_user_code):
        importlib.import_module("mine_old")

    assert [pathlib.Path(each.filename).name for each in caught] == ["mine_old.py"]


def test_imports_of_other_threads_and_short_ones_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = ImportTimer(is_user_code)
    with timer:
        thread = threading.Thread(target=importlib.import_module, args=("slow_unused",))
        thread.start()
        thread.join()
        monkeypatch.setattr(import_timer, "_LEAST_SECONDS", 60.0)
        importlib.import_module("slow_first")

    assert timer.libraries() == {}


def test_an_object_in_place_of_a_module_is_no_library() -> None:
    pathlib.Path(sys.path[0], "mine_odd.py").write_text("import odd\n")
    pathlib.Path(sys.path[0], "odd.py").write_text(f"{SLOW}import sys\nsys.modules[__name__] = 3\n")
    timer = ImportTimer(is_user_code)
    with timer:
        importlib.import_module("mine_odd")

    assert timer.libraries() == {}


def test_another_replacement_of_the_import_function_stays() -> None:
    bootstrap = sys.modules["_frozen_importlib"]
    original = vars(bootstrap)["_find_and_load"]
    try:
        with ImportTimer(is_user_code):
            bootstrap._find_and_load = print  # type: ignore[attr-defined]
        assert vars(bootstrap)["_find_and_load"] is print
    finally:
        bootstrap._find_and_load = original  # type: ignore[attr-defined]
    with ImportTimer(is_user_code):
        pass
    assert vars(bootstrap)["_find_and_load"] is original


def test_a_load_has_the_times_of_its_import(tmp_path: pathlib.Path) -> None:
    project = Sources((tmp_path / "project").resolve())
    project.write("site-packages/slow_library.py", SLOW)
    project.write("pipeline.py", "import sys\nsys.path.insert(0, 'site-packages')\nimport helper\n")
    project.write("helper.py", "import slow_library\n")
    first, second = project.load(), project.load()

    assert first.times is not None
    assert second.times is not None
    assert first.times.libraries["slow_library"] >= 0.004
    assert first.times.seconds >= first.times.libraries["slow_library"]
    assert second.times.began >= first.times.began + first.times.seconds
    assert first == second
