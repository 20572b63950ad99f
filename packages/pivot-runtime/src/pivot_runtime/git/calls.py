"""The only module that starts git, in one directory and without the variables of a hook.

Without them, since variables that git sets for its hooks, or users set for other repositories, select another
repository, index or object store.
"""

import os
import pathlib
import subprocess
from collections.abc import Mapping
from typing import IO, Final

_KEPT: Final = frozenset(
    {
        *("GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_EXEC_PATH"),
        *("GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_TERMINAL_PROMPT"),  # for its remotes
    }
)
_SETTINGS: Final = "GIT_CONFIG_"
"""The variables that control how git behaves rather than where."""
_TRANSPORT: Final = frozenset({"GIT_ASKPASS", "GIT_PROXY_COMMAND", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT"})
"""The variables that say how git reaches a server."""
_PROTOCOLS: Final = ("file", "git", "http", "https", "ssh")
_REMOTE: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    *(f"protocol.{name}.allow=always" for name in _PROTOCOLS),
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
)
"""Settings for fetching from a foreign repository: nothing of it runs, and a silent server is given up."""
_SSH: Final = "ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4"


def is_in_repository(directory: pathlib.Path) -> bool:
    """Whether a directory or one above it belongs to a git repository; git need not be installed."""
    return any((above / ".git").exists() for above in (directory, *directory.parents))


def run(directory: "str | os.PathLike[str]", *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The output of a git command, whatever its exit code.

    Raises:
        OSError: Git cannot be started.
    """
    with _begin(directory, arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def run_remote(directory: "str | os.PathLike[str]", *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The output of a git command that fetches from another repository.

    It asks no questions, runs no hooks, follows no submodules, and uses no protocol that starts a program of choice.

    Raises:
        OSError: Git cannot be started.
    """
    options = [word for setting in _REMOTE for word in ("-c", setting)]
    environment = {key: value for key, value in os.environ.items() if key in _TRANSPORT}
    if not environment.keys() & {"GIT_SSH", "GIT_SSH_COMMAND"} and not _configures_ssh(directory):
        environment["GIT_SSH_COMMAND"] = _SSH
    environment["GIT_TERMINAL_PROMPT"] = "0"
    with _begin(
        directory,
        (*options, *arguments),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        more=environment,
    ) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def _configures_ssh(directory: "str | os.PathLike[str]") -> bool:
    return run(directory, "config", "--get", "core.sshCommand").returncode == 0


def start(
    directory: "str | os.PathLike[str]", *arguments: str, stderr: IO[bytes] | int | None = None
) -> subprocess.Popen[bytes]:
    """A git command that answers requests on its standard input.

    Raises:
        OSError: Git cannot be started.
    """
    return _begin(directory, arguments, stdin=subprocess.PIPE, stderr=stderr)


def _begin(
    directory: "str | os.PathLike[str]",
    arguments: tuple[str, ...],
    *,
    stdin: int,
    stderr: IO[bytes] | int | None,
    more: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # the caller says what git is asked
        ["git", *arguments],  # noqa: S607  # the user's git is the one on the path
        cwd=directory,
        env={**_environment(), **(more or {})},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def names_repository() -> bool:
    """Whether the environment selects a repository, which our git processes ignore."""
    return bool(os.environ.get("GIT_DIR"))


def _environment() -> Mapping[str, str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("GIT_") or key in _KEPT or key.startswith(_SETTINGS)
    }
    return {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
