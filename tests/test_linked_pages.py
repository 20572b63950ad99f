"""The pages that `pivot docs` displays are those of the documentation."""

import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).parent.parent
_SPEC = importlib.util.spec_from_file_location("link_pages", ROOT / "docs/reference/link_pages.py")
assert _SPEC is not None
assert _SPEC.loader is not None
link_pages = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(link_pages)


def test_each_page_is_linked_into_the_package() -> None:
    """If not: `nox -s reference` links it."""
    assert link_pages.differing() == []
