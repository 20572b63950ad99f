"""`pivot remote`: lists and changes the configured remotes."""

import attrs

from pivot_core.values import Value
from pivot_runtime.config import edit, keys
from pivot_runtime.config.file import read_entries
from pivot_runtime.config.settings import ResolvedConfig, Setting, SettingSource
from pivot_runtime.config.store import ConfigStore, check_remote
from pivot_runtime.errors import ConfigError, NoRemoteError

_FAMILY = "remotes."
_DEFAULT = "default_remote"


@attrs.frozen(eq=False, repr=False)
class ConfiguredRemote(Value):
    """A remote.

    Attributes:
        name: The name in commands.
        url: Its URL.
        default: Whether commands that name no remote use it.
        setting: The setting that defines it.
    """

    name: str
    url: str
    default: bool
    setting: Setting


def list_remotes(found: ResolvedConfig) -> tuple[ConfiguredRemote, ...]:
    """The remotes by name.

    Raises:
        ConfigError: The configuration is invalid.
    """
    known = found.settings()
    return tuple(
        ConfiguredRemote(name, url, name == known.effective_remote, found.explicit[f"{_FAMILY}{name}"])
        for name, url in sorted(known.remotes.items())
    )


def add(configuration: ConfigStore, name: str, url: str, *, default: bool = False, user: bool = False) -> None:
    """Configure a remote; with ``default``, as the default remote.

    Raises:
        ConfigError: The name or the URL is invalid, or the remote already exists.
    """
    key = f"{_FAMILY}{name}"
    keys.parse_value(key, url)
    check_remote(key, url)
    there = configuration.read().explicit.get(key)
    if there is not None:
        raise ConfigError(
            f"there is a remote {name!r} already, {there.text}",
            source=there.source,
            line=there.line,
            hint=f"to change it: pivot config set {key} URL",
        )

    def change(text: str) -> str:
        text = edit.assign(text, key, url)
        return edit.assign(text, _DEFAULT, name) if default else text

    configuration.rewrite(change, user=user)


def remove(configuration: ConfigStore, name: str, *, user: bool = False) -> None:
    """Remove a remote from the configuration, and from the same file's default remote; its objects stay.

    Raises:
        ConfigError: The file has no such remote.
    """
    key = f"{_FAMILY}{name}"

    def change(text: str) -> str:
        there = _held(text)
        if key not in there:
            raise _absent(configuration, name, user=user)
        text = edit.remove(text, key)
        return edit.remove(text, _DEFAULT) if there.get(_DEFAULT) == name else text

    configuration.rewrite(change, user=user)


def rename(configuration: ConfigStore, old: str, new: str, *, user: bool = False) -> None:
    """Rename a remote, including in the same file's default remote.

    Raises:
        ConfigError: The file has no such remote, the new name is invalid, or a remote of that name exists.
    """
    key, renamed = f"{_FAMILY}{old}", f"{_FAMILY}{new}"
    taken = configuration.read().explicit.get(renamed)

    def change(text: str) -> str:
        there = _held(text)
        if key not in there:
            raise _absent(configuration, old, user=user)
        keys.parse_value(renamed, there[key] or "")
        if taken is not None or renamed in there:
            raise ConfigError(f"there is a remote {new!r} already", hint="see pivot remote list")
        text = edit.rename(text, key, renamed)
        return edit.assign(text, _DEFAULT, new) if there.get(_DEFAULT) == old else text

    configuration.rewrite(change, user=user)


def _held(text: str) -> dict[str, str | None]:
    return {entry.key: entry.value for entry in read_entries(text)}


def _absent(configuration: ConfigStore, name: str, *, user: bool) -> ConfigError:
    found = configuration.read()
    there = found.explicit.get(f"{_FAMILY}{name}")
    file = str(configuration.file(user=user))
    if there is None or there.source == file:
        names = sorted(key.removeprefix(_FAMILY) for key in found.explicit if key.startswith(_FAMILY))
        return NoRemoteError(f"no remote is named {name!r}", hint=f"configured: {', '.join(names) or 'none'}")
    hint = {
        SettingSource.USER: "it is in your own file for all projects: add --global",
        SettingSource.ENVIRONMENT: f"unset the variable {there.source}",
    }.get(there.origin, "remove --global")
    return ConfigError(f"the remote {name!r} is not configured there", source=file, hint=hint)
