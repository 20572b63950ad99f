"""The conditions that a host inherits by its fork; a command uses the warm process only if all are equal."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pivot_runtime

SESSION_VARIABLES: Final = frozenset({"PWD", "OLDPWD", "SHLVL", "_", "COLUMNS", "LINES"})
"""Variables that differ from command to command in one shell; the host gets those of its command."""
_STATUS: Final = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Mems_allowed")
_CGROUP: Final = "/proc/self/cgroup"
_FILES: Final = {
    "resource limits": "/proc/self/limits",
    "personality": "/proc/self/personality",
    "memory priority": "/proc/self/oom_score_adj",
    "security label": "/proc/self/attr/current",
}
_RESOURCE: Final = "resource"

type Conditions = Mapping[str, str]
"""Each condition as text, by its name for users."""


def conditions(path: Iterable[str]) -> dict[str, str] | None:
    """The conditions of this process; None if some cannot be seen. ``path`` is the search path of a new interpreter."""
    names = [name for name in dir(sys.flags) if not name.startswith(("_", "n_")) and name != "safe_path"]
    flags = {name: value for name in names if isinstance(value := getattr(sys.flags, name), int)}
    found = {
        "interpreter": f"{sys.executable} {sys.prefix} {sys.base_prefix} {sys.version}",
        "interpreter options": repr((sorted(flags.items()), sorted(sys._xoptions.items()), sys.warnoptions)),  # noqa: SLF001
        "module search path": repr(tuple(path)),
        "installation of Pivot": repr(sorted(pivot_runtime.__path__)),
        "user and groups": repr((os.getuid(), os.geteuid(), os.getgid(), os.getegid(), sorted(os.getgroups()))),
        "signals": _signals(),
        "umask": oct(_umask()),
        "priority": repr(_priority()),
    }
    if sys.platform != "linux":
        return found | {"resource limits": _limits()}
    group = _text(_CGROUP)
    if not group:
        return None
    found["control group"] = group
    found["namespaces"] = repr(sorted(_namespaces()))
    found["privileges"] = "\n".join(
        line for line in _text("/proc/self/status").splitlines() if line.startswith(_STATUS)
    )
    return found | {name: _text(file) for name, file in _FILES.items()}


def difference(one: Conditions, two: Conditions) -> str | None:
    """The name of the first condition that differs; None if all are equal."""
    return next((name for name in {**one, **two} if one.get(name) != two.get(name)), None)


def different_variables(one: Mapping[str, str], two: Mapping[str, str]) -> list[str]:
    """The names of the variables that differ between two environments, without those of the session."""
    names = (one.keys() | two.keys()) - SESSION_VARIABLES
    return sorted(name for name in names if one.get(name) != two.get(name))


def _signals() -> str:
    """The signals that this process blocks, and those that it ignores otherwise than any interpreter does."""
    ignored = [int(each) for each in signal.valid_signals() if signal.getsignal(each) == signal.SIG_IGN]
    return repr((ignored, sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ())))))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _priority() -> tuple[Any, ...]:
    found: list[Any] = [os.getpriority(os.PRIO_PROCESS, 0)]
    if hasattr(os, "sched_getaffinity"):
        found += [sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0), os.sched_getparam(0).sched_priority]
    return tuple(found)


def _namespaces() -> Iterable[str]:
    root = os.stat("/")
    yield f"root {root.st_dev} {root.st_ino}"
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/ns"):
            yield os.readlink(f"/proc/self/ns/{name}")


def _limits() -> str:
    """The resource limits, where no file shows them; the user may have a module of the name of Python's."""
    known = _RESOURCE in sys.modules
    import resource  # lazy: not on Linux

    if not known:
        del sys.modules[_RESOURCE]
    names = sorted(name for name in vars(resource) if name.startswith("RLIMIT_"))
    return repr([(name, resource.getrlimit(getattr(resource, name))) for name in names])


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read()
    except OSError:
        return ""
