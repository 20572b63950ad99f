"""The known imports of pipelines, and the libraries that are imported in advance because of them."""

import json
import os
import pathlib

import pytest

from pivot_cache.layout import Layout
from pivot_runtime.libraries.known_imports import KnownImports

KNOWN = {"asked": ["big"], "libraries": [], "seconds": 1.0, "together": [], "refused": {}}


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> Layout:
    layout = Layout(tmp_path)
    layout.database_dir.mkdir(parents=True)
    return layout


def known(layout: Layout) -> KnownImports:
    """The imports that a new command knows."""
    return KnownImports(layout)


def pipeline(layout: Layout, name: str, text: str = "") -> pathlib.Path:
    file = layout.root / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def test_one_pipeline(layout: Layout) -> None:
    file = pipeline(layout, "pipeline.py")
    assert known(layout).names(file) == ()

    imports = known(layout)
    imports.imported(file, ["numpy", "pandas", "pandas.plotting"], ["numpy", "pytz", "pandas"], 1.0)
    imports.loaded_together([file])

    assert known(layout).names(file) == ("numpy", "pandas", "pandas.plotting")
    assert known(layout).together(file) == [file]


def test_imports_that_are_fast_are_not_worth_it(layout: Layout) -> None:
    file = pipeline(layout, "pipeline.py")
    imports = known(layout)
    imports.imported(file, ["quick"], ["quick"], 0.01)
    assert imports.names(file) == ()
    imports.imported(file, ["quick"], ["quick"], 2.0)
    imports.imported(file, ["quick"], ["quick"], 0.0)  # with a shared one

    assert imports.names(file) == ("quick",)


def test_libraries_that_were_always_shared_are_worth_it(layout: Layout) -> None:
    """A pipeline whose first import found the libraries of another one in its process."""
    first, second, other = (pipeline(layout, f"{name}/pipeline.py") for name in ("first", "second", "other"))
    imports = known(layout)
    imports.imported(first, ["slow"], ["numpy", "slow"], 2.0)
    imports.imported(second, ["slow", "quick"], ["slow", "numpy", "quick"], 0.0)
    imports.imported(other, ["quick"], ["quick"], 0.0)

    assert imports.names(second) == ("slow", "quick")
    assert imports.names(other) == ()


def test_nothing_is_written_for_a_pipeline_without_libraries(layout: Layout) -> None:
    file = pipeline(layout, "pipeline.py")
    imports = known(layout)
    imports.imported(file, [], [], 0.0)
    imports.loaded_together([file])

    assert not layout.libraries_file.exists()


def test_several_pipelines_have_in_common_what_all_of_them_loaded(layout: Layout) -> None:
    one, two = pipeline(layout, "pipeline.py"), pipeline(layout, "two/pipeline.py")
    imports = known(layout)
    imports.imported(one, ["numpy", "pandas", "yaml", "pandas.plotting"], ["numpy", "pandas", "yaml"], 1.0)
    imports.imported(two, ["pandas", "pandas.plotting", "scipy"], ["numpy", "pandas", "scipy"], 1.0)
    imports.loaded_together([one, two])

    assert known(layout).common([one, two]) == ("numpy", "pandas", "pandas.plotting")
    assert known(layout).together(one) == [one, two]
    assert known(layout).together(two) == [two, one]

    two.unlink()
    assert known(layout).together(one) == [one]


def test_a_pipeline_that_was_never_imported_counts_by_its_text(layout: Layout) -> None:
    text = "import json, helper\nimport pandas.plotting\nfrom numpy import linalg\nfrom . import x\ndef f(): import y\n"
    one, two = pipeline(layout, "pipeline.py", text), pipeline(layout, "two/pipeline.py", "from numpy import *\n")
    pipeline(layout, "helper.py")

    assert known(layout).common([one]) == ("pandas", "pandas.plotting", "numpy")
    assert known(layout).common([one, two]) == ("numpy",)
    assert known(layout).common([one, pipeline(layout, "three/pipeline.py", "def f(:\n")]) == ()


def test_a_refused_library_and_all_after_it_are_left_out_until_an_edit(layout: Layout) -> None:
    file = pipeline(layout, "pipeline.py")
    imports = known(layout)
    imports.imported(file, ["numpy", "pandas", "scipy"], ["numpy", "pandas", "scipy"], 1.0)
    imports.refuse(file, "pandas", os.fspath(pipeline(layout, "mine.py", "x = 1\n")))
    assert known(layout).names(file) == ("numpy",)

    pipeline(layout, "mine.py", "x = 2\n")
    assert known(layout).names(file) == ("numpy", "pandas", "scipy")

    imports.refuse(file, "", "")
    assert known(layout).names(file) == ()


def test_a_library_is_left_out_until_it_is_installed_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    site = layout.root / "site-packages"
    (site / "hostile").mkdir(parents=True)
    monkeypatch.syspath_prepend(site)
    file = pipeline(layout, "pipeline.py")
    imports = known(layout)
    imports.imported(file, ["hostile", "hostile.part", "hostile_not"], ["hostile", "hostile_not"], 1.0)
    imports.leave_out("hostile", "it leaves threads running")
    assert known(layout).names(file) == ("hostile_not",)

    os.utime(site / "hostile", (0, 0))
    assert known(layout).names(file) == ("hostile", "hostile.part", "hostile_not")

    imports.leave_out("hostile_not", "it starts a program", lasting=False)
    assert "hostile_not" not in imports.names(file)
    assert "hostile_not" in known(layout).names(file)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"format": 2}',
        '{"format": 1, "pipelines": [], "left out": {}}',
        '{"format": 1, "pipelines": {"pipeline.py": {}}, "left out": {}}',
        '{"format": 1, "pipelines": {}, "left out": {"x": [1, 2, 3]}}',
        json.dumps({"format": 1, "left out": {}, "pipelines": {"pipeline.py": KNOWN | {"asked": ["a b"]}}}),
    ],
)
def test_damaged_data_count_as_none(layout: Layout, content: str) -> None:
    file = pipeline(layout, "pipeline.py")
    layout.libraries_file.write_text(content)

    assert known(layout).names(file) == ()
