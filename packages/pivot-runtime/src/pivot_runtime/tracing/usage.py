"""The observations of a stage run as values: files of the project, environment variables, processor time and memory."""

from collections.abc import Mapping
from typing import Any, Self

import attrs

from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class UsedFiles(Value):
    """The files and variables that a stage used, without the files that it declares.

    Attributes:
        read: Files of the project that it read, relative to the root, sorted.
        wrote: Files of the project that it wrote and that still exist.
        variables: The names of environment variables that its code, or a library, read.
        unseen: Descriptions of uses that cannot be observed.
        changed: Files of code that were written after programs of the stage had read them.
    """

    read: tuple[str, ...] = ()
    wrote: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """The same as JSON-able data."""
        return {
            "read": list(self.read),
            "wrote": list(self.wrote),
            "variables": list(self.variables),
            "unseen": list(self.unseen),
            "changed": list(self.changed),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_plain`; the data come from a process of our own."""
        return cls(
            read=tuple(plain.get("read", ())),
            wrote=tuple(plain.get("wrote", ())),
            variables=tuple(plain.get("variables", ())),
            unseen=tuple(plain.get("unseen", ())),
            changed=tuple(plain.get("changed", ())),
        )


@attrs.frozen(eq=False, repr=False)
class ResourceUsage(Value):
    """The resources of a process and the children that it waited for, as the kernel counts them.

    Attributes:
        cpu: Seconds of processor time, in user and system mode.
        memory: The peak memory of the largest of them, in bytes.
    """

    cpu: float
    memory: int


@attrs.frozen(eq=False, repr=False)
class TraceOptions(Value):
    """The observations to make of a stage, besides environment variables.

    Attributes:
        files: Record the files of the project that its Python code opens.
        trace: Record with strace also the files that native libraries and other programs open.
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
