"""The keys of the settings, for files and people: their names, variables, kinds of values and meanings."""

import enum
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final, NamedTuple

from pivot_cache.files.link_modes import CheckoutMode
from pivot_core.conversion.sizes import amount_of, amount_text
from pivot_core.errors import DefinitionError, suggest
from pivot_core.spec import LOCAL
from pivot_runtime.config.settings import Fsync, Settings, Strictness, VersionPolicy, WorkerStart
from pivot_runtime.errors import ConfigError


class ValueKind(NamedTuple):
    """A kind of value.

    Attributes:
        values: A description of the possible values, in Markdown.
        parse: Parses a text; raises ``ValueError`` if it is invalid.
        show: Formats a value as text.
    """

    values: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str


_WORDS = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


def one_of(choices: type[enum.Enum]) -> ValueKind:
    """A choice of words."""

    def parse(text: str) -> enum.Enum:
        for choice in choices:
            if choice.value == text:
                return choice
        raise ValueError(f"{text!r} is not one of {', '.join(choice.value for choice in choices)}")

    return ValueKind(", ".join(f"`{choice.value}`" for choice in choices), parse, lambda choice: str(choice.value))


def at_least(least: int, what: str = "") -> ValueKind:
    """A whole number, counting ``what``."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
            raise ValueError(f"{text!r} is not a whole number (at least {least})")
        return int(text)

    return ValueKind(f"a number of {what}, at least {least}" if what else f"a number of at least {least}", parse)


def seconds(least: float) -> ValueKind:
    """A number of seconds, possibly with tenths."""

    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9])?", text) or float(text) < least:
            raise ValueError(f"{text!r} is not a number of seconds (at least {least})")
        return float(text)

    return ValueKind(f"a number of seconds, at least {least}", parse, lambda value: f"{value:.1f}".removesuffix(".0"))


def switch(on: str, off: str) -> ValueKind:
    """A boolean, in any spelling."""

    def parse(text: str) -> bool:
        if text.lower() not in _WORDS:
            raise ValueError(f"{text!r} is neither {on} nor {off}")
        return _WORDS[text.lower()]

    return ValueKind(f"`{on}`, `{off}`", parse, lambda value: on if value else off)


def directory(text: str) -> str:
    """The path of a directory."""
    if not text or not text.isprintable():
        raise ValueError(f"{text!r} is not the path of a directory")
    return text


def patterns(text: str) -> str:
    """Patterns as in a `.gitignore`."""
    if not text.isprintable():
        raise ValueError(f"{text!r} is not a list of patterns")
    return text


def member(text: str) -> str:
    """A name that the user chose, such as that of a remote.

    Raises:
        ValueError: It cannot be part of a key.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text):
        raise ValueError(f"{text!r} is not a name: letters, digits, '-' and '_', at most 64")
    return text


_REMOTES: Final = {
    "gs": "gs://bucket/prefix",
    "az": "az://container/prefix",
    "file": "file:///absolute/path",
    "https": "https://host/path",
    "http": "http://host/path",
    "ssh": "ssh://user@host:port/path",
}
"""The forms of the URLs of remotes other than those on S3, by scheme."""

_SCHEMES_ELSEWHERE: Final = {
    "s3a": "s3",
    "s3n": "s3",
    "gcs": "gs",
    "azure": "az",
    "abfs": "az",
    "abfss": "az",
    "sftp": "ssh",
    "scp": "ssh",
    "rsync": "ssh",
}
"""The scheme of ours for a scheme of other tools."""


def remote(text: str) -> str:
    """The URL of a remote; errors do not repeat possible secrets."""
    scheme, separator, rest = text.partition("://")
    form = _REMOTES.get(scheme.lower()) if separator else None
    if form is not None:
        user, at, _ = rest.partition("/")[0].rpartition("@")
        if not rest or (at and ("user@" not in form or ":" in user)):
            raise ValueError(f"the URL of a remote is {form}, without credentials")
        if not text.isprintable():
            raise ValueError(f"the URL of a remote, {form}, is printable")
        return text
    if not separator or scheme.lower() != "s3":
        if text.startswith(("/", "~/", "./", "../")):
            raise ValueError("a directory is a remote by its URL, file:///absolute/path")
        meant = _SCHEMES_ELSEWHERE.get(scheme.lower()) if separator else None
        if meant is not None:
            ours = _REMOTES.get(meant, "s3://bucket/prefix")
            raise ValueError(f"{scheme.lower()}:// is no URL of a remote: it is {ours} here")
        others = ", ".join(f"{each}://" for each in _REMOTES)
        raise ValueError(f"the URL of a remote must be an S3 path, s3://bucket/prefix, or begin with one of {others}")
    bucket = rest.partition("/")[0]
    if not bucket or {"@", ":"} & set(bucket):
        raise ValueError("the URL of a remote is s3://bucket/prefix, without credentials or port")
    if not text.isprintable() or " " in text:
        raise ValueError("the URL of a remote, s3://bucket/prefix, has no spaces")
    return text


def executor(text: str) -> str:
    """The address of an executor; errors do not repeat possible secrets."""
    if text != LOCAL and not re.fullmatch(r"[A-Za-z][A-Za-z0-9.]*(?:://|\+)[!-~]+", text):
        raise ValueError("it is neither local nor an address")
    return text


def absolute_directory(text: str) -> str:
    """The path of a directory that means the same on other machines."""
    if not directory(text).startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path")
    return text


def words_or_names(text: str) -> bool | tuple[str, ...]:
    """A boolean, or some names."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    return tuple(member(name.strip()) for name in text.split(","))


def words_or_names_text(value: bool | tuple[str, ...]) -> str:  # noqa: FBT001  # the value of a key
    """The text for such a value."""
    return ("true" if value else "false") if isinstance(value, bool) else ",".join(value)


def amount(text: str) -> int:
    """The available amount of a resource: a number, or a size in bytes."""
    try:
        return amount_of("it", text, "16 GiB")
    except DefinitionError:
        raise ValueError(f"{text!r} is neither a whole number (at least 1) nor a size") from None


class Key(NamedTuple):
    """A key, or a family of keys such as ``remotes.<name>``, whose last part is a name.

    Attributes:
        name: The name in files.
        attribute: The attribute of `Settings` that it sets; for a family, a mapping by name.
        kind: The kind of its value.
        meaning: Its purpose, in Markdown.
        unset: The effective value if neither it nor `Settings` has one, in Markdown.
    """

    name: str
    attribute: str
    kind: ValueKind
    meaning: str
    unset: str = "none"

    @property
    def family(self) -> str | None:
        """The prefix of the keys of a family; None for a single key."""
        return self.name.removesuffix("<name>") if self.name.endswith(".<name>") else None

    @property
    def default(self) -> Any:
        """The default value; None if there is none."""
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
        "executor",
        "executor",
        ValueKind("`local` or an address such as `dask://HOST:PORT` or `dask+MODULE:FUNCTION`", executor),
        "where stages run: on this machine, or on a cluster; `--executor` overrides it",
        unset="`local`",
    ),
    Key(
        "executor.shared",
        "executor_shared",
        ValueKind("the absolute path of a directory", absolute_directory),
        "a directory that the workers of a cluster share with this machine, by the same path; the cache must be in it",
    ),
    Key(
        "fingerprint.library_versions",
        "library_versions",
        one_of(VersionPolicy),
        "which part of a library's version counts for the stages whose code uses the library",
    ),
    Key(
        "git.ignore_outs",
        "ignore_outs",
        switch("true", "false"),
        "whether an out that is stored in the cache is added to the `.gitignore` beside it when it is first recorded",
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
        ValueKind(", ".join(f"`{form}`" for form in ("s3://bucket/prefix", *_REMOTES.values())), remote),
        "the URL of the remote; credentials stay where the other tools of that service find them",
    ),
    Key(
        "resources.<name>",
        "resources",
        ValueKind("a number of at least 1, or a size such as `16 GiB`", amount, amount_text),
        "how much of a shared resource is available to stages that run at the same time",
        unset="1; of `memory`, for stages that need more, that of the machine",
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
        "being imported (first after one second); then after twice as long, and so on; 0 means never",
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
        "warm",
        "warm",
        switch("on", "off"),
        "whether a process with the libraries of your pipelines waits for the next command, which then need not import "
        "them again; see `pivot warm`",
    ),
    Key(
        "watch.debounce",
        "debounce_ms",
        at_least(0, "milliseconds"),
        "how long `repro --watch` waits after the last edit before it runs",
    ),
    Key(
        "worker.include",
        "worker_include",
        ValueKind("patterns as in a `.gitignore`, separated by commas", patterns),
        "files of the project that workers of a cluster get besides the imported sources and the declared deps",
    ),
    Key(
        "worker.start",
        "worker_start",
        one_of(WorkerStart),
        "how the process of a stage starts: forked from one that has imported the pipeline, or (slower) as a new "
        "interpreter, for libraries that do not survive a fork",
    ),
)
"""All keys, in the order of their names."""

_BY_NAME = {key.name: key for key in KEYS if not key.family}
_FAMILIES = {key.family: key for key in KEYS if key.family}
_FORMER_NAMES = {
    "cache.grace": "cache.trash_days",
    "cache.retention": "cache.keep_runs_days",
    "cache.strong_digest": "cache.sha256",
    "remote.share_runs": "remote.run_cache",
}
"""Former names of keys that do not resemble the current ones; used only for suggestions."""


def variable(name: str) -> str:
    """The environment variable that overrides the files for a key."""
    return f"PIVOT_{re.sub(r'[.-]', '_', name).upper()}"


VARIABLES: tuple[tuple[str, Key], ...] = tuple((variable(key.family or key.name), key) for key in KEYS)
"""Each key with its environment variable; for a family, with the prefix of the variables of its members."""


def set_by(variables: Collection[str], names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each key set by one of these environment variables, with the variable.

    A variable names a member of a family in upper case: it overrides those of the ``names`` that match, otherwise it
    defines a new one in lower case.
    """
    for prefix, key in VARIABLES:
        if key.family is None:
            if prefix in variables:
                yield key.name, prefix
            continue
        for each in variables:
            if each.startswith(prefix):
                meant = [name for name in names if variable(name) == each and find(name) == key]
                fresh = [f"{key.family}{each.removeprefix(prefix).lower()}"]
                yield from ((name, each) for name in meant or fresh)


def find(name: str) -> Key | None:
    """The key or family of a name; None if there is none."""
    family, dot, _ = name.partition(".")
    return _BY_NAME.get(name) or _FAMILIES.get(family + dot)


def require(name: str) -> Key:
    """The key of a name.

    Raises:
        ConfigError: There is no such key.
    """
    key = find(name)
    if key is None:
        raise ConfigError("this key is not known", key=name, hint=suggest_key(name))
    if key.family:
        try:
            member(name.removeprefix(key.family))
        except ValueError as error:
            raise ConfigError(str(error), key=name, hint=f"the key is {key.name}") from None
    return key


def parse_value(name: str, text: str) -> tuple[Key, Any]:
    """The key of a name, and the value that a text gives it.

    Raises:
        ConfigError: The name is unknown, or the text is not one of its values.
    """
    key = require(name)
    try:
        return key, key.kind.parse(text)
    except ValueError as error:
        raise ConfigError(str(error), key=name, hint=f"the value must be {_describe_values(key)}") from None


def suggest_key(name: str) -> str:
    """The known name that is most similar to an unknown one."""
    last = name.rpartition(".")[2]
    known = [f"{key.family}{last}" if key.family else key.name for key in KEYS]
    return suggest(_FORMER_NAMES.get(name, name), known) or f"known keys: {', '.join(key.name for key in KEYS)}"


def is_section(name: str) -> bool:
    """Whether there are keys that begin with this name and a dot."""
    return any(key.name.startswith(f"{name}.") for key in KEYS)


def _describe_values(key: Key) -> str:
    values = key.kind.values.replace("`", "")
    return f"one of {values}" if ", " in values and key.kind.values.startswith("`") else values
