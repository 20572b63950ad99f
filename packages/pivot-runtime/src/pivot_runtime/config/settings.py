"""The settings of a command as one typed object with defaults; `keys` defines their spelling."""

import enum
import os
import pathlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pivot_cache.layout import DEFAULT_CACHE
from pivot_cache.objects.store import CheckoutMode
from pivot_runtime.errors import ConfigError

if TYPE_CHECKING:
    from pivot_core.lock import LibraryUse


class Fsync(enum.Enum):
    """Which bytes are flushed to the disk before a command continues or ends."""

    KEPT = "kept"
    ALL = "all"


class VersionPolicy(enum.Enum):
    """Which part of a library's version counts for the stages that use the library."""

    OFF = "off"
    MAJOR = "major"
    MINOR = "minor"
    EXACT = "exact"

    def relevant_part(self, version: str) -> str | None:
        """The part of a version that counts; None if no part does."""
        if self is VersionPolicy.OFF:
            return None
        parts = {VersionPolicy.MAJOR: 1, VersionPolicy.MINOR: 2}.get(self)
        return version if parts is None else ".".join(version.split(".")[:parts])


class Strictness(enum.Enum):
    """The reaction to a stage that uses undeclared files."""

    OFF = "off"
    WARN = "warn"
    ERROR = "error"


class WorkerStart(enum.Enum):
    """How the process of a stage starts."""

    FORK = "fork"
    SPAWN = "spawn"


# Named tuples, since every command creates these classes, and attrs takes three times as long.


class Settings(NamedTuple):
    """All settings, resolved once; each attribute belongs to a key in `keys.KEYS`, which documents it."""

    cache_dir: str = DEFAULT_CACHE
    checkout_mode: CheckoutMode = CheckoutMode.COPY
    fsync: Fsync = Fsync.KEPT
    keep_runs_days: int = 30
    sha256: bool = False
    trash_days: int = 14
    default_remote: str | None = None
    library_versions: VersionPolicy = VersionPolicy.OFF
    remote_jobs: int = 20
    remote_timeout: float = 30
    read_only: bool | tuple[str, ...] = False
    remote_run_cache: bool = False
    remotes: Mapping[str, str] = MappingProxyType({})
    resources: Mapping[str, int] = MappingProxyType({})
    run_jobs: int | None = None
    keep_going: bool = False
    silence_seconds: int = 60
    snapshot: bool = True
    strict_io_ignore: str | None = None
    strict_io_level: Strictness = Strictness.WARN
    debounce_ms: int = 100
    worker_start: WorkerStart = WorkerStart.FORK

    def cache_home(self, root: pathlib.Path, environment: Mapping[str, str]) -> pathlib.Path | None:
        """The absolute directory of the cache, with environment variables expanded; None for the default.

        Raises:
            ConfigError: It contains an unknown variable or user.
        """
        if self.cache_dir == DEFAULT_CACHE:
            return None
        from pivot_runtime.config import cache_dir  # noqa: PLC0415  # start-up time: most projects have the default

        home = pathlib.Path(os.path.normpath(root / cache_dir.expand(self.cache_dir, environment)))
        return None if home == root / DEFAULT_CACHE else home

    @property
    def effective_remote(self) -> str | None:
        """The name of the default remote: the configured default, or the only remote."""
        if self.default_remote is not None:
            return self.default_remote
        return next(iter(self.remotes)) if len(self.remotes) == 1 else None

    def remote_url(self, name: str | None = None) -> str:
        """The URL of a remote, or of the default.

        Raises:
            ConfigError: There is no remote of that name, or the default remote is ambiguous.
        """
        if not self.remotes:
            raise ConfigError("no remote is configured", hint="pivot remote add NAME s3://bucket/prefix")
        known = ", ".join(sorted(self.remotes))
        wanted = self.effective_remote if name is None else name
        if wanted is None:
            raise ConfigError(
                f"several remotes are configured ({known}), and none is the default",
                hint="name one, or choose one: pivot config set default_remote NAME",
            )
        if wanted not in self.remotes:
            problem = f"no remote is named {wanted!r}" + (", which default_remote names" if name is None else "")
            raise ConfigError(problem, hint=f"configured: {known}")
        return self.remotes[wanted]

    def relevant_versions(self, libraries: "Mapping[str, LibraryUse]") -> dict[str, str]:
        """The part of each library's version that counts."""
        return {
            name: part
            for name, use in libraries.items()
            if (part := self.library_versions.relevant_part(use.version)) is not None
        }

    def check_writable(self, name: str) -> None:
        """Check that a remote is not read-only.

        Raises:
            ConfigError: It is read-only.
        """
        if self.read_only is True or (self.read_only and name in self.read_only):
            raise ConfigError(
                f"the remote {name!r} is read-only: nothing was pushed",
                hint="the setting remote.read_only says so: see 'pivot config list'",
            )
