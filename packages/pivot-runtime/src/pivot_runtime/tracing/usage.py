"""What was seen of a stage while it ran: files of the project, environment variables, and what it cost."""

from collections.abc import Mapping
from typing import Any, Self

import attrs

from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class Seen(Value):
    """What a stage used beyond what it declares.

    Attributes:
        read: Files of the project that it read, relative to the root, sorted.
        wrote: Files of the project that it wrote and that are still there.
        variables: The names of environment variables that its code, or a library, asked for.
        unseen: What else it may have used, in words.
    """

    read: tuple[str, ...] = ()
    wrote: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """The same as JSON-able data."""
        return {
            "read": list(self.read),
            "wrote": list(self.wrote),
            "variables": list(self.variables),
            "unseen": list(self.unseen),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_plain`; the data come from a process of our own."""
        return cls(
            read=tuple(plain.get("read", ())),
            wrote=tuple(plain.get("wrote", ())),
            variables=tuple(plain.get("variables", ())),
            unseen=tuple(plain.get("unseen", ())),
        )


@attrs.frozen(eq=False, repr=False)
class Usage(Value):
    """What a process and the children that it waited for have cost, as the kernel counts it.

    Attributes:
        cpu: Seconds of processor time, its own and the system's for it.
        memory: The most memory that one of them had at a time, in bytes.
    """

    cpu: float
    memory: int


@attrs.frozen(eq=False, repr=False)
class Watching(Value):
    """What is to be seen of a stage.

    Attributes:
        files: Which files of the project it opens.
        trace: Also those that C libraries and other programs open, with strace.
    """

    files: bool = True
    trace: bool = False

    def to_plain(self) -> dict[str, Any]:
        """The same as JSON-able data."""
        return {"files": self.files, "trace": self.trace}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_plain`."""
        return cls(files=plain["files"], trace=plain["trace"])
