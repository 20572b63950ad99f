"""Each error of Pivot leads to a page of the documentation that exists."""

import errno
import importlib
import pathlib
import re
import sys
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from parsed_modules import MODULES, NAMES, sources

from pivot_cache.errors import cache_error
from pivot_cache.remotes.protocol import RemoteDeniedError
from pivot_cli.docs.topics import anchors, find
from pivot_cli.error_topics import GENERAL, TOPICS, WITHOUT, topic_of, topic_of_failure
from pivot_core.errors import PivotError
from pivot_runtime.inspecting import doctor


def errors(base: type[PivotError] = PivotError) -> Iterator[type[PivotError]]:
    """The classes of errors in modules that are imported."""
    yield base
    for each in base.__subclasses__():
        yield from errors(each)


def import_all_errors() -> None:
    """Import the modules whose classes may be errors."""
    for path in MODULES:
        if "Error(" in sources()[path].text and "class " in sources()[path].text and "testing" not in NAMES[path]:
            importlib.import_module(NAMES[path])


def test_each_error_has_a_page_and_each_page_exists() -> None:
    """A class that is derived from a general one needs a page of its own."""
    import_all_errors()
    ours = [each for each in errors() if each.__module__.startswith("pivot")]
    general = {each.__name__ for each in ours if TOPICS.get(each.__name__) == GENERAL}

    assert TOPICS.keys() - {each.__name__ for each in ours} == set()
    assert {each.__name__ for each in ours if each.__mro__[1].__name__ in general} - TOPICS.keys() == WITHOUT
    for topic in {*TOPICS.values()}:
        name, _, anchor = topic.partition("#")
        assert not anchor or anchor in anchors(find(name).text), topic


def test_each_page_that_the_doctor_names_exists() -> None:
    text = pathlib.Path(doctor.__file__).read_text()
    found = set(re.findall(r'"([a-z-]+#[a-z-]+)"', text)) | {"nothing-to-do", "quick-start", "watch"}

    assert len(found) > 10
    for topic in found:
        name, _, anchor = topic.partition("#")
        assert not anchor or anchor in anchors(find(name).text), topic


def test_what_the_system_refuses_leads_to_its_own_entry() -> None:
    full = cache_error("write", pathlib.Path("x"), OSError(errno.ENOSPC, "no space"))
    full.__cause__ = OSError(errno.ENOSPC, "no space")
    denied = RemoteDeniedError("origin", "access denied")
    denied.__cause__ = OSError(errno.EACCES, "denied")

    assert topic_of(full) == "troubleshooting#no-space"
    assert topic_of(OSError(errno.EACCES, "denied")) == "troubleshooting#permissions"
    assert topic_of(denied) == "troubleshooting#remote-refuses"
    assert topic_of_failure("OSError: [Errno 28] No space left on device", has_hint=False) == "troubleshooting#no-space"
    assert topic_of_failure("it did not write a.txt", has_hint=True) == "troubleshooting#no-out"
    assert topic_of_failure("ValueError: x", has_hint=False) is None
    assert topic_of(PivotError("")) == topic_of(OSError(errno.EIO, "")) == GENERAL
