"""The settings: every key with its values, default and meaning, and the typed object that they make."""

import enum
import os
import pathlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pivot_cache.layout import USUAL_CACHE
from pivot_cache.objects.store import CheckoutMode
from pivot_core.errors import suggest
from pivot_runtime.config.kinds import (
    ValueKind,
    at_least,
    directory,
    member,
    one_of,
    patterns,
    remote,
    seconds,
    switch,
    words_or_names,
    words_or_names_text,
)
from pivot_runtime.errors import ConfigError

if TYPE_CHECKING:
    from pivot_core.lock import LibraryUse


class Fsync(enum.Enum):
    """The bytes that are flushed to the disk before a command continues or ends."""

    KEPT = "kept"
    ALL = "all"


class VersionPolicy(enum.Enum):
    """How much of a library's version counts as a change of the stages that name the library."""

    OFF = "off"
    MAJOR = "major"
    MINOR = "minor"
    EXACT = "exact"

    def relevant_part(self, version: str) -> str | None:
        """The part of a version that counts; None if none does."""
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


# Named tuples: every command makes these classes, and waits three times as long for those of attrs.


class Settings(NamedTuple):
    """All settings, resolved once; each attribute is a key of `KEYS`, which says what it means."""

    cache_dir: str = USUAL_CACHE
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
        """The absolute directory of the cache, with variables of the environment; None for the default.

        Raises:
            ConfigError: It names a variable, or a user, that there is not.
        """
        if self.cache_dir == USUAL_CACHE:
            return None
        from pivot_runtime.config import cache_dir  # noqa: PLC0415  # start-up time: most projects have the default

        home = pathlib.Path(os.path.normpath(root / cache_dir.expand(self.cache_dir, environment)))
        return None if home == root / USUAL_CACHE else home

    @property
    def usual_remote(self) -> str | None:
        """The name of the remote that is meant where none is named: the default one, or the only one."""
        if self.default_remote is not None:
            return self.default_remote
        return next(iter(self.remotes)) if len(self.remotes) == 1 else None

    def remote_url(self, name: str | None = None) -> str:
        """The URL of a remote, or of the default.

        Raises:
            ConfigError: There is none of that name, or nothing says which one is meant.
        """
        if not self.remotes:
            raise ConfigError("no remote is configured", hint="pivot remote add NAME s3://bucket/prefix")
        known = ", ".join(sorted(self.remotes))
        wanted = self.usual_remote if name is None else name
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
        """As much of each library's version as counts."""
        return {
            name: part
            for name, use in libraries.items()
            if (part := self.library_versions.relevant_part(use.version)) is not None
        }

    def check_writable(self, name: str) -> None:
        """Refuse to write to a remote that is only read.

        Raises:
            ConfigError: It is.
        """
        if self.read_only is True or (self.read_only and name in self.read_only):
            raise ConfigError(
                f"the remote {name!r} is read-only: nothing was pushed",
                hint="the setting remote.read_only says so: see 'pivot config list'",
            )


class Key(NamedTuple):
    """One key, or a family of keys such as ``remotes.<name>``, whose last part is a name.

    Attributes:
        name: As it is written.
        attribute: The attribute of `Settings` that it sets; of a family, by the name.
        kind: The kind of its value.
        meaning: Its purpose, in Markdown.
        unset: The effective value if there is none and `Settings` has none, in Markdown.
    """

    name: str
    attribute: str
    kind: ValueKind
    meaning: str
    unset: str = "none"

    @property
    def family(self) -> str | None:
        """The prefix of the keys of a family; None if it is a single key."""
        return self.name.removesuffix("<name>") if self.name.endswith(".<name>") else None

    @property
    def default(self) -> Any:
        """The value where nothing sets it; None for none."""
        return None if self.family else getattr(Settings(), self.attribute)


KEYS: tuple[Key, ...] = (
    Key(
        "cache.checkout_mode",
        "checkout_mode",
        one_of(CheckoutMode),
        "how files in the workspace are created from the cache; Pivot does not fall back to another mode if this one "
        "does not work",
    ),
    Key(
        "cache.dir",
        "cache_dir",
        ValueKind("a directory, relative to the root", directory),
        "the directory of the cache; several clones and users can share one; `~`, `~user`, `$NAME` and `${NAME}` are "
        "expanded",
    ),
    Key(
        "cache.fsync",
        "fsync",
        one_of(Fsync),
        "which bytes are flushed to the disk: only those that exist nowhere else, such as your own file that a "
        "stage replaces, or also the results of stages, which slows runs down",
    ),
    Key(
        "cache.keep_runs_days",
        "keep_runs_days",
        at_least(0, "days"),
        "how long `pivot cache gc` keeps the results of a run that no branch needs",
    ),
    Key(
        "cache.sha256",
        "sha256",
        switch("true", "false"),
        "whether lock files and `.pvt` files also contain the SHA-256 of outs and data, which is checked on fetch",
    ),
    Key(
        "cache.trash_days",
        "trash_days",
        at_least(0, "days"),
        "how long objects that `pivot cache gc` or `drop` removed stay in the trash; 0: the next `gc` deletes them",
    ),
    Key(
        "default_remote",
        "default_remote",
        ValueKind("the name of a remote", member),
        "the remote of commands that name none",
        unset="the only remote, if there is just one",
    ),
    Key(
        "fingerprint.library_versions",
        "library_versions",
        one_of(VersionPolicy),
        "which part of a library's version counts for the stages whose code uses the library",
    ),
    Key("remote.jobs", "remote_jobs", at_least(1), "how many files are transferred at once"),
    Key(
        "remote.read_only",
        "read_only",
        ValueKind("`true`, `false`, or names of remotes, separated by commas", words_or_names, words_or_names_text),
        "which remotes are read-only for `pivot push`: all, none, or these",
    ),
    Key(
        "remote.run_cache",
        "remote_run_cache",
        switch("true", "false"),
        "whether `pivot push` also uploads records of runs to the remote's run cache, and `repro --pull`, `pull` and "
        "`fetch` use those of others",
    ),
    Key(
        "remote.timeout",
        "remote_timeout",
        seconds(0.1),
        "after how many seconds without progress a request to a remote fails",
    ),
    Key(
        "remotes.<name>",
        "remotes",
        ValueKind("`s3://bucket/prefix`", remote),
        "the URL of the remote; credentials stay where other S3 tools find them",
    ),
    Key(
        "resources.<name>",
        "resources",
        at_least(1),
        "how many units of a shared resource are available",
    ),
    Key(
        "run.jobs",
        "run_jobs",
        at_least(1),
        "how many stages run at once; `--jobs` overrides it",
        unset="the number of available processors",
    ),
    Key(
        "run.keep_going",
        "keep_going",
        switch("true", "false"),
        "whether, after a failure, independent stages still run; `--keep-going` and `--no-keep-going` override it",
    ),
    Key(
        "run.silence",
        "silence_seconds",
        at_least(0, "seconds"),
        "after how many seconds without output Pivot reports that a stage still runs, or that a pipeline is still "
        "being imported; then after twice as long, and so on; 0 means never",
    ),
    Key(
        "snapshot",
        "snapshot",
        switch("on", "off"),
        "whether a pipeline is imported again only if something that its last import depended on has changed",
    ),
    Key(
        "strict_io.ignore",
        "strict_io_ignore",
        ValueKind("patterns as in a `.gitignore`, separated by commas", patterns),
        "files that stages may use without declaring them, besides those that `.pivotignore` names",
    ),
    Key(
        "strict_io.level",
        "strict_io_level",
        one_of(Strictness),
        "what happens if a stage reads or writes files of the project without declaring them: nothing, "
        "a warning with the lines to add, or a failure",
    ),
    Key(
        "watch.debounce",
        "debounce_ms",
        at_least(0, "milliseconds"),
        "how long `repro --watch` waits after the last edit before it runs",
    ),
    Key(
        "worker.start",
        "worker_start",
        one_of(WorkerStart),
        "how the process of a stage starts: forked from one that has imported the pipeline, or (slower) as a new "
        "interpreter, for libraries that do not survive a fork",
    ),
)
"""Every key, in the order of their names."""

_BY_NAME = {key.name: key for key in KEYS if not key.family}
_FAMILIES = {key.family: key for key in KEYS if key.family}
_FORMER_NAMES = {
    "cache.grace": "cache.trash_days",
    "cache.retention": "cache.keep_runs_days",
    "cache.strong_digest": "cache.sha256",
    "remote.share_runs": "remote.run_cache",
}
"""Former names of keys that do not resemble the present ones; used only for suggestions."""


def variable(name: str) -> str:
    """The environment variable that overrides the files for a key."""
    return f"PIVOT_{re.sub(r'[.-]', '_', name).upper()}"


VARIABLES: tuple[tuple[str, Key], ...] = tuple((variable(key.family or key.name), key) for key in KEYS)
"""Each key with its environment variable; of a family, with what the variables of its members begin with."""


def find(name: str) -> Key | None:
    """The key, or the family, of a name as it is written; None if there is none."""
    family, dot, _ = name.partition(".")
    return _BY_NAME.get(name) or _FAMILIES.get(family + dot)


def known(name: str) -> Key:
    """The key of a name.

    Raises:
        ConfigError: There is none.
    """
    key = find(name)
    if key is None:
        raise ConfigError("this key is not known", key=name, hint=suggestion(name))
    if key.family:
        try:
            member(name.removeprefix(key.family))
        except ValueError as error:
            raise ConfigError(str(error), key=name, hint=f"the key is {key.name}") from None
    return key


def parsed(name: str, text: str) -> tuple[Key, Any]:
    """The key of a name, and the value that a text gives it.

    Raises:
        ConfigError: The name is not known, or the text is not one of its values.
    """
    key = known(name)
    try:
        return key, key.kind.parse(text)
    except ValueError as error:
        raise ConfigError(str(error), key=name, hint=f"the value must be {_said(key)}") from None


def suggestion(name: str) -> str:
    """The known name that an unknown one may stand for."""
    last = name.rpartition(".")[2]
    known = [f"{key.family}{last}" if key.family else key.name for key in KEYS]
    return suggest(_FORMER_NAMES.get(name, name), known) or f"known keys: {', '.join(key.name for key in KEYS)}"


def section(name: str) -> bool:
    """Whether keys begin with this name and a dot."""
    return any(key.name.startswith(f"{name}.") for key in KEYS)


def _said(key: Key) -> str:
    values = key.kind.values.replace("`", "")
    return f"one of {values}" if ", " in values and key.kind.values.startswith("`") else values
