"""Start files (`sitecustomize.py`) by which Python programs observe themselves when they start."""

import itertools
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

_IGNORES_START_FILE = re.compile(r"-[A-Za-z]*[EIS][A-Za-z]*")
"""Options with which Python ignores the environment or runs no start file."""
_PREFIX = "boot-"
_BEGUN = "begun"
PATH = "PYTHONPATH"
"""The variable through which a program finds its start file."""
_PACKAGE: Final = __name__.partition(".")[0]
_PLACE: Final = os.path.abspath(sys.modules[_PACKAGE].__path__[0])
"""The directory of the package: computed now, since the package does not stay imported in observed programs."""
_numbers = itertools.count()


class Companion(NamedTuple):
    """Another function that starts in each observed process.

    Attributes:
        module: The module; it may import the standard library, its own package and this one.
        function: The function's name.
        arguments: The arguments of the function, plain data.
        place: The directory of the module's package.
    """

    module: str
    function: str
    arguments: tuple[object, ...]
    place: str

    @property
    def package(self) -> str:
        """The top-level package of the module."""
        return self.module.partition(".")[0]


# For any version of Python: a program that cannot be observed must run as always. Nothing visible to the program
# remains: neither the directory in the path and the variable, nor modules whose names the program may use.
_START = """\
def _begin():
    import os, sys
    sys.path[:] = [place for place in sys.path if place != HERE]
    places = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place != HERE]
    if places:
        os.environ["PYTHONPATH"] = os.pathsep.join(places)
    else:
        os.environ.pop("PYTHONPATH", None)
    own = sys.modules.pop("sitecustomize", None)
    before = set(sys.modules)
    if sys.version_info >= (3, 13):
        try:
            for name, place in PACKAGES.items():
                package = sys.modules[name] = type(sys)(name)
                package.__path__ = [place]
            import pivot_fingerprint.runtime.recorder as recorder
            if recorder.start_in_child(ROOT, SPOOL, None, COMPANION):
                os.close(os.open(os.path.join(HERE, "begun"), os.O_WRONLY | os.O_CREAT, 438))
        except Exception:
            pass
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in ("json", *PACKAGES):
                del sys.modules[name]
    try:
        import sitecustomize
    except ImportError:
        pass
    finally:
        sys.modules.setdefault("sitecustomize", own)
_begin()
"""


class StartArguments(NamedTuple):
    """The arguments of the recorder in a started program."""

    root: str
    spool: str
    companion: Companion | None


def add_start_file(
    command: list[str], env: Mapping[str, str] | Mapping[bytes, bytes], start: StartArguments
) -> str | None:
    """Write the start file for a program; returns the `PYTHONPATH` for it, or None if it cannot be observed.

    Args:
        command: The words of its command.
        env: The environment that it would get.
        start: The arguments of its recorder.
    """
    if any(_IGNORES_START_FILE.fullmatch(word) for word in command):
        return None
    before = python_path(env)
    place = os.path.join(start.spool, f"{_PREFIX}{os.getpid()}-{next(_numbers)}")
    packages = {_PACKAGE: _PLACE}
    if start.companion is not None:
        packages[start.companion.package] = start.companion.place
    names = {
        "HERE": place,
        "ROOT": start.root,
        "SPOOL": start.spool,
        "PACKAGES": packages,
        "COMPANION": start.companion and tuple(start.companion),
    }
    text = "".join(f"{name} = {value!r}\n" for name, value in names.items()) + _START
    try:
        os.makedirs(place)
        fd = os.open(os.path.join(place, "sitecustomize.py"), os.O_WRONLY | os.O_CREAT, 0o666)
        os.write(fd, text.encode())
        os.close(fd)
    except OSError:
        return None
    return os.pathsep.join([place, before] if before else [place])


def variable_name(env: Mapping[str, str] | Mapping[bytes, bytes]) -> str | bytes:
    """The name `PYTHONPATH`, of the same type as the other names in an environment."""
    return PATH.encode() if any(isinstance(name, bytes) for name in env) else PATH


def python_path(env: Mapping[str, str] | Mapping[bytes, bytes]) -> str:
    """The value of `PYTHONPATH` in an environment; empty if there is none."""
    found = dict(env).get(variable_name(env), "")  # type: ignore[arg-type]  # of the same kind
    return os.fsdecode(found or "")


def has_start_file(env: Mapping[str, str] | Mapping[bytes, bytes], spool: str) -> bool:
    """Whether an environment already has a start file, as when `subprocess` uses `posix_spawn`."""
    return python_path(env).startswith(os.path.join(spool, _PREFIX))


def not_started(spool: str, names: list[str]) -> Iterator[str]:
    """The names in the spool directory of programs that did not start to observe themselves."""
    for name in names:
        if name.startswith(_PREFIX) and not os.path.exists(os.path.join(spool, name, _BEGUN)):
            yield name
