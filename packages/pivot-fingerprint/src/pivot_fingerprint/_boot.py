"""A Python program that `subprocess` is about to start is given a start file, by which it is observed as well."""

import itertools
import os
import re
import sys
from collections.abc import Iterator
from types import FrameType

_PYTHON = re.compile(r"\bpython[\d.]*\b|\.py\b")
_DEAF = re.compile(r"-[A-Za-z]*[EIS][A-Za-z]*")
"""Options with which Python heeds no environment, or runs no start file."""
_PREFIX = "boot-"
_BEGUN = "begun"
_PATH = "PYTHONPATH"
_ENVIRONMENT = os.environ  # whatever the code that is observed puts in its place
_numbers = itertools.count()
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
            package = type(sys)("pivot_fingerprint")
            package.__path__ = [PACKAGE]
            sys.modules["pivot_fingerprint"] = package
            import pivot_fingerprint._recorder as recorder
            if recorder.start_in_child(ROOT, SPOOL, None):
                os.close(os.open(os.path.join(HERE, "begun"), os.O_WRONLY | os.O_CREAT, 438))
        except Exception:
            pass
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in ("json", "pivot_fingerprint"):
                del sys.modules[name]
    try:
        import sitecustomize
    except ImportError:
        pass
    finally:
        sys.modules.setdefault("sitecustomize", own)
_begin()
"""


def starts_python(frame: FrameType) -> bool:
    """Whether the call of `Popen._execute_child` in this frame seems to start Python."""
    texts = _words(frame)
    return sys.executable in texts or _PYTHON.search(" ".join(texts)) is not None


def _words(frame: FrameType) -> list[str]:
    args = frame.f_locals.get("args")
    every = args if isinstance(args, list | tuple) else [args]
    return [os.fsdecode(arg) for arg in every if isinstance(arg, str | bytes | os.PathLike)]


def arrange(frame: FrameType, root: str, spool: str) -> bool:
    """Have what the call starts observe itself; whether that can be."""
    if any(_DEAF.fullmatch(word) for word in _words(frame)):
        return False
    place = os.path.join(spool, f"{_PREFIX}{os.getpid()}-{next(_numbers)}")
    given = frame.f_locals.get("env")
    try:
        env = dict(_ENVIRONMENT.copy() if given is None else given)
        key = _PATH.encode() if any(isinstance(name, bytes) for name in env) else _PATH
        before = os.fsdecode(env.get(key) or "")
        os.makedirs(place)
        names = {"HERE": place, "ROOT": root, "SPOOL": spool, "PACKAGE": os.path.dirname(os.path.abspath(__file__))}
        text = "".join(f"{name} = {value!r}\n" for name, value in names.items()) + _START
        fd = os.open(os.path.join(place, "sitecustomize.py"), os.O_WRONLY | os.O_CREAT, 0o666)
        os.write(fd, text.encode())
        os.close(fd)
    except (OSError, TypeError, ValueError):
        return False
    path = os.pathsep.join([place, before] if before else [place])
    env[key] = os.fsencode(path) if isinstance(key, bytes) else path
    frame.f_locals["env"] = env
    return True


def unbegun(spool: str, names: list[str]) -> Iterator[str]:
    """Of the names in the spool directory, those of programs that were to be observed and did not begin with it."""
    for name in names:
        if name.startswith(_PREFIX) and not os.path.exists(os.path.join(spool, name, _BEGUN)):
            yield name
