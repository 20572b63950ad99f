"""`pivot config`: reads settings and changes their files, even invalid ones."""

import contextlib
import fcntl
import os
import pathlib
import stat
from collections.abc import Callable, Iterator, Mapping

import attrs

from pivot_cache.errors import as_cache_errors
from pivot_cache.files import durable
from pivot_cache.files.atomic import make_directory, temporary, write_all
from pivot_cache.layout import Layout
from pivot_core.errors import DiscoveryError, PivotError
from pivot_core.values import Value
from pivot_runtime.config import edit, keys, settings
from pivot_runtime.config.file import FormatError
from pivot_runtime.config.settings import ResolvedConfig, Setting, SettingSource
from pivot_runtime.errors import ConfigError
from pivot_runtime.project.project import find_root_without_links

__all__ = ["ConfigStore", "ResolvedConfig", "Setting", "SettingSource", "check_remote", "config_warnings"]


@attrs.frozen(eq=False, repr=False)
class ConfigStore(Value):
    """The configuration as seen by a command in ``cwd``.

    Attributes:
        cwd: The directory of the command, which need not be in a project.
        environment: The environment variables of the command.
    """

    cwd: pathlib.Path
    environment: Mapping[str, str]

    def read(self, *, user: bool = False) -> ResolvedConfig:
        """The settings, valid or not; with ``user``, only those of the user's file."""
        mine = settings.user_file(self.environment)
        if user:
            return settings.read_config(None, mine, {})
        try:
            project = self.file()
        except DiscoveryError:
            project = None
        return settings.read_config(project, mine, self.environment)

    def file(self, *, user: bool = False) -> pathlib.Path:
        """The project's file, or the user's.

        Raises:
            DiscoveryError: There is no project here.
            LinkError: A symbolic link is in the place of one of Pivot's own files.
            ConfigError: The user has no place for a file.
        """
        if not user:
            return Layout(find_root_without_links(self.cwd)).config_file
        file = settings.user_file(self.environment)
        if file is None:
            raise ConfigError("there is no directory for your own settings", hint="set HOME or XDG_CONFIG_HOME")
        return file

    def assign(self, name: str, text: str, *, user: bool = False) -> None:
        """Set a key in a file.

        Raises:
            ConfigError: The key is unknown, the text is not one of its values, or the file cannot be changed.
        """
        key, value = keys.parse_value(name, text)
        if name.startswith("remotes."):
            check_remote(name, text)
        written = key.kind.show(value)
        self.rewrite(lambda before: edit.assign(before, name, written), user=user)

    def remove(self, name: str, *, user: bool = False) -> bool:
        """Remove a key, known or not, from a file; False if the file does not have it.

        Raises:
            ConfigError: The key is neither in the file nor known, or the file cannot be changed.
        """
        removed = self.rewrite(lambda before: edit.remove(before, name), user=user)
        if not removed:
            keys.require(name)
        return removed

    def rewrite(self, change: Callable[[str], str], *, user: bool = False) -> bool:
        """Replace the text of a file atomically by the result of ``change``; False if it is the same.

        Raises:
            ConfigError: The file cannot be changed in this way.
            CacheError: The file cannot be written.
        """
        # A link to a file that is stored elsewhere is kept.
        file = pathlib.Path(os.path.realpath(self.file(user=user)))
        with as_cache_errors("write", file), _alone_in(file.parent):
            before = settings.text_of(file)
            try:
                after = change(before)
            except FormatError as error:
                raise settings.unreadable(error, file) from None
            if after != before:
                _write(file, after.encode())
            return after != before


def check_remote(key: str, url: str) -> None:
    """Check that the URL is possible for a remote; opens no connection.

    One on S3 may be configured before its package is installed.

    Raises:
        ConfigError: The URL is invalid, or the package for it is not installed.
    """
    from pivot_cache.remotes.protocol import RemoteSchemeError, connect  # lazy

    try:
        connect(url)
    except PivotError as error:
        if isinstance(error, RemoteSchemeError) and url.lower().startswith("s3:"):
            return
        raise ConfigError(str(error), key=key, hint=error.hint) from None


def config_warnings(found: ResolvedConfig) -> Iterator[str]:
    """Problems that are not errors yet."""
    default = found.explicit.get("default_remote")
    if default is not None and f"remotes.{default.value}" not in found.explicit:
        yield f"default_remote is {default.value!r}, but no remote of that name is configured"


@contextlib.contextmanager
def _alone_in(directory: pathlib.Path) -> Iterator[None]:
    """Block other processes that change a configuration there."""
    make_directory(directory)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # without locks, the last one wins
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(file: pathlib.Path, data: bytes) -> None:
    with temporary(file.parent) as (descriptor, temp):
        with contextlib.suppress(FileNotFoundError):
            os.fchmod(descriptor, stat.S_IMODE(file.stat().st_mode))
        write_all(descriptor, data)
        durable.flush_descriptor(descriptor)
        temp.rename(file)
    durable.flush_directory(file.parent)
