"""Pages of the reference name each field of files, each place in the cache and each variable that the code reads."""

import pathlib
import re

from pivot_cache import layout
from pivot_cache.formats import artifact_json, data_source, lock_file, pvt, tree
from pivot_cache.state import results, run_cache

ROOT = pathlib.Path(__file__).parent.parent
FORMATS = (ROOT / "docs/reference/file-formats.md").read_text()
VARIABLES = set(
    re.findall(r"`([A-Z_]{2,})", (ROOT / "docs/reference/cli.md").read_text().partition("## Environment variables")[2])
)
OF_OTHERS = {
    *("HOME", "PATH", "SHELL"),  # as every program reads them
    *("SSH_CONNECTION", "SSH_TTY", "WSL_DISTRO_NAME"),  # where the desktop is another machine's
    *("CONDA_PREFIX", "PYTHONPATH", "PYTHONUTF8", "VIRTUAL_ENV"),  # where commands find their interpreter
    *(
        "AWS_PROFILE",
        "GIT_DIR",
        "GIT_SSH_COMMAND",
        "GIT_TERMINAL_PROMPT",
    ),  # of the programs and services of these names
}
"""Variables that mean to Pivot what they mean to others."""
READ = re.compile(r"\benviron(?:ment)?(?:\.get\(|\[)\"([A-Z][A-Z_]+)\"")
PLACE = re.compile(r"^( +)([\w.<>-]+)")


def section(title: str) -> str:
    _, found, text = FORMATS.partition(f"\n## {title}\n")
    assert found, title
    return text.partition("\n## ")[0]


def test_fields_of_files_are_on_the_page_of_formats() -> None:
    artifact = artifact_json._ARTIFACT | artifact_json._DEP
    fields = {
        "Lock files": lock_file._TOP | artifact | artifact_json._CODE | artifact_json._LIBRARY,
        "Tracked data: `.pvt`": pvt._HEAD
        | (artifact_json._ARTIFACT - {"sha256"})
        | data_source._REPOSITORY
        | data_source._URL,
        "The cache": tree._FIELDS | run_cache._FIELDS | run_cache._RUN,
    }
    for title, wanted in fields.items():
        text = section(title)
        assert sorted(field for field in wanted if re.search(rf"\b{field}\b", text) is None) == [], title


def test_versions_of_formats_are_on_their_page() -> None:
    assert (lock_file.FORMAT, lock_file.EXTENDED, pvt.FORMAT, pvt.WITH_SOURCE) == (1, 2, 1, 2)
    assert (tree.FORMAT, run_cache.FORMAT, results.FORMAT, results.GROUPED_FORMAT) == (1, 1, 1, 2)
    assert "| `format` | 1, or 2 if" in section("Lock files")
    assert "have `format` 2 and a `source`" in section("Tracked data: `.pvt`")


def test_places_in_the_cache_are_on_the_page_of_formats() -> None:
    inside = layout.__doc__.partition("\n    cache/")[2].partition("\n    state.db/")[0]
    names = {match[2].partition("/")[0] for line in inside.splitlines()[1:] if (match := PLACE.match(line))}

    assert (
        sorted(
            name
            for name in names
            if f"`{name}" not in section("The cache") and f", `{name}" not in section("The cache")
        )
        == []
    )


def test_variables_that_the_code_reads_are_on_the_page_of_commands() -> None:
    sources = (path for path in ROOT.glob("packages/*/src/**/*.py") if "testing" not in path.parts)
    read = {name for path in sources for name in READ.findall(path.read_text())}

    assert sorted(read - VARIABLES - OF_OTHERS) == []
