"""The browser of the user: whether one with a window can be started here, and its start."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["browser_variables", "no_browser_reason", "open_link"]

_NO: Final = frozenset({"", "0", "false", "no"})
_TEXT_BROWSERS: Final = frozenset(
    {"browsh", "elinks", "links", "links2", "lynx", "netrik", "retawq", "w3m", "www-browser"}
)
_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY")
_OPEN: Final = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.stdin.read()))"
_WSL: Final = "wslview"
"""Opens the browser of Windows from its Linux."""


def no_browser_reason(
    environment: Mapping[str, str], *, platform: str = sys.platform, user: int | None = None
) -> str | None:
    """Return why no browser is to be started, as the end of a sentence; None if one is.

    Args:
        environment: The environment variables; the browsers that ``BROWSER`` names are started wherever this is,
            unless they are for terminals.
        platform: The operating system.
        user: The number of the user; by default that of this process.
    """
    if environment.get("CI", "").lower() not in _NO:
        return "in CI"
    if _chosen(environment):
        return None
    if environment.get("BROWSER"):
        return "in a terminal"
    if not _has_display(environment, platform):
        return "over SSH" if _is_remote(environment) else "without a display"
    return "for root, since browsers refuse that" if (os.geteuid() if user is None else user) == 0 else None


def browser_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of a browser, with which none for terminals is found."""
    found = {name: value for name, value in environment.items() if name not in ("BROWSER", "TERM")}
    chosen = _chosen(environment) or _of_windows(environment)
    return found | ({"BROWSER": os.pathsep.join(chosen)} if chosen else {})


def open_link(link: str, environment: Mapping[str, str]) -> bool:
    """Open a link in a browser; return whether one was found, as soon as that is known or the browser has ended.

    The browser does not get the terminal, and Ctrl-C there does not end it.
    """
    try:
        done = subprocess.run(  # noqa: S603  # this Python
            [sys.executable, "-P", "-c", _OPEN],
            input=link.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=browser_variables(environment),
            start_new_session=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def _chosen(environment: Mapping[str, str]) -> Sequence[str]:
    """The browsers that the user names, without those for terminals."""
    return [each for each in environment.get("BROWSER", "").split(os.pathsep) if each and not _is_for_terminals(each)]


def _is_for_terminals(command: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    return not words or os.path.basename(words[0]) in _TEXT_BROWSERS


def _has_display(environment: Mapping[str, str], platform: str) -> bool:
    if platform == "darwin":
        return not _is_remote(environment)  # the windows are those of the user at the machine
    return any(environment.get(name) for name in _DISPLAYS) or bool(_of_windows(environment))


def _is_remote(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"))


def _of_windows(environment: Mapping[str, str]) -> Sequence[str]:
    wsl = environment.get("WSL_DISTRO_NAME") and shutil.which(_WSL, path=environment.get("PATH"))
    return [_WSL] if wsl else []
