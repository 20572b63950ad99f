import importlib.resources
import re

STATIC = importlib.resources.files("pivot_ui") / "static"


def test_the_page_and_all_that_it_loads_are_in_the_package() -> None:
    page = (STATIC / "index.html").read_text("utf-8")

    named = re.findall(r'(?:href|src)="([^"]+)"', page)

    assert "app.js" in named
    assert [name for name in [*named, "layout_worker.js", "LICENSES.txt"] if not (STATIC / name).is_file()] == []


def test_the_page_loads_nothing_from_elsewhere() -> None:
    assert "//" not in (STATIC / "index.html").read_text("utf-8")
