"""Code outside the project is found here under its place on the worker, or as the module that a load has imported."""

from collections.abc import Mapping

from pivot_core.lock import CodeEntry
from pivot_core.spec import Location
from pivot_runtime.cluster import observed_places

ONE, TWO = "1" * 32, "2" * 32


def entry(file: str, digest: str = ONE) -> CodeEntry:
    return CodeEntry(digest, Location(file, 1))


def test_places_relative_to_the_workspace_say_nothing_elsewhere() -> None:
    found = observed_places.absolute(
        {"a": entry("a.py"), "b": entry("../../shared/b.py"), "c": CodeEntry(ONE)}, "/tmp/w"
    )

    assert found == {"a": entry("a.py"), "b": entry("/shared/b.py"), "c": CodeEntry(ONE)}


def test_code_is_found_where_it_is_here() -> None:
    def current(entries: Mapping[str, CodeEntry]) -> Mapping[str, CodeEntry]:
        here = {"../shared/same.py": ONE, "../shared/moved.py": TWO, "../lib/pack/moved.py": ONE}
        return {
            key: CodeEntry(here[each.location.file], each.location)
            for key, each in entries.items()
            if each.location is not None and each.location.file in here
        }

    observed = {
        "func:own:f": entry("own.py"),
        "func:same:f": entry("/shared/same.py"),
        "func:pack.moved:f": entry("/shared/moved.py"),
        "func:gone:f": entry("/shared/gone.py"),
        "writer:return": CodeEntry(ONE),
    }
    loads = [["/project/pipeline.py"], ["/lib/pack/moved.py", "/lib/moved.py"]]

    found, different = observed_places.found_here(observed, "/project", loads, current)

    assert found == {
        **observed,
        "func:same:f": entry("../shared/same.py"),
        "func:pack.moved:f": entry("../lib/pack/moved.py"),
    }
    assert different == ["func:gone:f"]
