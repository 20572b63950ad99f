"""A Python program that is about to be started is given a start file, by which it is observed as well."""

import itertools
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

_DEAF = re.compile(r"-[A-Za-z]*[EIS][A-Za-z]*")
"""Options with which Python respects no environment, or runs no start file."""
_PREFIX = "boot-"
_BEGUN = "begun"
PATH = "PYTHONPATH"
"""The variable by which a program finds its start file."""
_PACKAGE: Final = __name__.partition(".")[0]
_PLACE: Final = os.path.abspath(sys.modules[_PACKAGE].__path__[0])
"""Where the package is: found now, since in a program that is observed the package does not stay imported."""
_numbers = itertools.count()


class Companion(NamedTuple):
    """Another function that begins in each observed process: a function with arguments of plain data.

    Attributes:
        module: The module; all that it needs, of the standard library and of its own package, is imported with it.
        function: The function's name.
        arguments: The arguments of the function.
        place: The directory of the module's package.
    """

    module: str
    function: str
    arguments: tuple[object, ...]
    place: str

    @property
    def package(self) -> str:
        """The package whose name the module's begins with."""
        return self.module.partition(".")[0]


# For any version of Python: what cannot be observed must run as it always does. It leaves nothing behind that the
# program could see: neither the place in the path and the variable, nor modules that may be called as its own are.
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
            if recorder.start_in_child(ROOT, SPOOL, None, ALSO):
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
    """Where what a process and those that it starts have seen is collected."""

    root: str
    spool: str
    also: Companion | None


def arrange(command: list[str], env: Mapping[str, str] | Mapping[bytes, bytes], start: StartArguments) -> str | None:
    """Have what a command starts observe itself: what `PYTHONPATH` must be for it; None if it cannot be.

    Args:
        command: The words.
        env: The environment that it would get.
        start: Where to.
    """
    if any(_DEAF.fullmatch(word) for word in command):
        return None
    before = value(env)
    place = os.path.join(start.spool, f"{_PREFIX}{os.getpid()}-{next(_numbers)}")
    packages = {_PACKAGE: _PLACE}
    if start.also is not None:
        packages[start.also.package] = start.also.place
    names = {
        "HERE": place,
        "ROOT": start.root,
        "SPOOL": start.spool,
        "PACKAGES": packages,
        "ALSO": start.also and tuple(start.also),
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


def key(env: Mapping[str, str] | Mapping[bytes, bytes]) -> str | bytes:
    """The name of the variable that `arrange` is about, as the others in an environment are spelled."""
    return PATH.encode() if any(isinstance(name, bytes) for name in env) else PATH


def value(env: Mapping[str, str] | Mapping[bytes, bytes]) -> str:
    """Its value; empty if there is none."""
    found = dict(env).get(key(env), "")  # type: ignore[arg-type]  # of the same kind
    return os.fsdecode(found or "")


def is_arranged(env: Mapping[str, str] | Mapping[bytes, bytes], spool: str) -> bool:
    """Whether `arrange` has been here, as where `subprocess` uses another way to start a program."""
    return value(env).startswith(os.path.join(spool, _PREFIX))


def unbegun(spool: str, names: list[str]) -> Iterator[str]:
    """Of the names in the spool directory, those of programs that were to be observed and did not begin with it."""
    for name in names:
        if name.startswith(_PREFIX) and not os.path.exists(os.path.join(spool, name, _BEGUN)):
            yield name
