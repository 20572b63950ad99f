"""Formats settings as text and as JSON; pure."""

import enum
from collections.abc import Mapping, Sequence
from typing import Any

from pivot_runtime.config.remotes import ConfiguredRemote
from pivot_runtime.config.store import Setting, SettingSource
from pivot_runtime.errors import ConfigError

_PLACES = {
    SettingSource.USER: "your own file",
    SettingSource.PROJECT: "the project's file",
    SettingSource.ENVIRONMENT: "the variable",
}
_NONE = "(none)"


def table(listed: Sequence[Setting]) -> str:
    """Return a line for each setting: its key, value and origin."""
    rows = [(setting.name, _NONE if setting.text is None else setting.text, origin(setting)) for setting in listed]
    return _aligned(rows)


def origin(setting: Setting) -> str:
    """Return ``default``, or the place where the setting is set."""
    place = _PLACES.get(setting.origin)
    line = "" if setting.line is None else f":{setting.line}"
    return "default" if place is None else f"{place} {setting.source}{line}"


def setting_json(setting: Setting) -> dict[str, Any]:
    """Return a setting as JSON-able data."""
    value = setting.value.value if isinstance(setting.value, enum.Enum) else setting.value
    return {
        "key": setting.name,
        "value": value,
        "origin": setting.origin.value,
        "source": setting.source or None,
        "line": setting.line,
    }


def problem_json(problem: ConfigError) -> Mapping[str, Any]:
    """Return a problem as JSON-able data."""
    return {
        "key": problem.key or None,
        "problem": problem.problem,
        "hint": problem.hint,
        "source": problem.source or None,
        "line": problem.line,
    }


def remotes(listed: Sequence[ConfiguredRemote]) -> str:
    """Return a line for each remote: its name, its URL, and whether it is the default."""
    return _aligned([(remote.name, remote.url, "(default)" if remote.default else "") for remote in listed])


def remote_json(remote: ConfiguredRemote) -> dict[str, Any]:
    """Return a remote as JSON-able data."""
    plain = setting_json(remote.setting)
    return {
        "name": remote.name,
        "url": remote.url,
        "default": remote.default,
        **{key: plain[key] for key in ("origin", "source", "line")},
    }


def _aligned(rows: Sequence[tuple[str, str, str]]) -> str:
    first, second = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    return "".join(f"{f'{one:<{first}}  {two:<{second}}  {three}'.rstrip()}\n" for one, two, three in rows)
