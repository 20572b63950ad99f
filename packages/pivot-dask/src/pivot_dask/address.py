"""Addresses of Dask clusters: a scheduler, this machine, or a function of the user's that creates one."""

import re
from typing import Final

import attrs

from pivot_core.values import Value
from pivot_runtime.errors import ConfigError

_SCHEDULER: Final = re.compile(
    r"dask(?:\+(?P<protocol>tcp|tls|ws|wss))?://(?P<place>(?:\[[0-9A-Fa-f:.%]+\]|[\w.-]+):\d+)/?"
)
_LOCAL: Final = re.compile(r"dask://local(?:\?workers=(?P<workers>[1-9]\d{0,4}))?")
_FUNCTION: Final = re.compile(r"dask\+(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*):(?P<function>[^\W\d]\w*)")

_FORMS: Final = "dask://HOST:PORT, dask+tls://HOST:PORT, dask+MODULE:FUNCTION or dask://local"


@attrs.frozen(eq=False, repr=False)
class SchedulerAddress(Value):
    """A scheduler that runs somewhere: the URL is as Dask writes it."""

    url: str

    @property
    def encrypted(self) -> bool:
        """Whether it uses TLS."""
        return self.url.startswith(("tls:", "wss:"))


@attrs.frozen(eq=False, repr=False)
class LocalAddress(Value):
    """A cluster on this machine, with so many workers; None for one on each CPU."""

    workers: int | None = None


@attrs.frozen(eq=False, repr=False)
class FunctionAddress(Value):
    """A function that returns a cluster object."""

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"


type DaskAddress = SchedulerAddress | LocalAddress | FunctionAddress


def parse(address: str) -> DaskAddress:
    """The parts of an address.

    Raises:
        ConfigError: It has another form.
    """
    if match := _LOCAL.fullmatch(address):
        return LocalAddress(None if match["workers"] is None else int(match["workers"]))
    if match := _SCHEDULER.fullmatch(address):
        return SchedulerAddress(f"{match['protocol'] or 'tcp'}://{match['place']}")
    if match := _FUNCTION.fullmatch(address):
        return FunctionAddress(match["module"], match["function"])
    hint = f"an address is {_FORMS}"
    if re.fullmatch(r"dask(?:\+\w+)?://[\w.-]+/?", address):
        hint = f"it needs the port of the scheduler, which is 8786 by default: {address.rstrip('/')}:8786"
    raise ConfigError(f"{address!r} is no address of a Dask cluster", key="executor", hint=hint)
