"""Completes half-typed names from recorded stages, without importing user code."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from pivot_cli.app import cli
from pivot_cli.context import working_directory
from pivot_core.discovery import find_root
from pivot_core.errors import PivotError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem, ShellComplete

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # older releases of click are not generic


VARIABLE: Final = "_PIVOT_COMPLETE"
"""The environment variable through which a shell requests completions."""

TAKES_TARGETS: Final = frozenset(
    {
        "checkout",
        "commit",
        "dag",
        "fetch",
        "fingerprint",
        "list",
        "logs",
        "pull",
        "push",
        "repro",
        "run",
        "status",
        "verify",
    }
)
"""The commands whose arguments are targets; completing these does not import the command."""


def answer(asked: str) -> int:
    """Answer a shell's request for completions; return the exit code."""
    from click.shell_completion import get_completion_class, shell_complete  # noqa: PLC0415  # start-up time

    kind = get_completion_class(asked.partition("_")[0])
    if kind is not None and asked.endswith("_complete"):
        shell = kind(cli, {}, "pivot", VARIABLE)
        words, typed = shell.get_completion_args()
        if _wants_target(words, typed):
            return _say(shell, _targets(typed))
    return shell_complete(cli, {}, "pivot", VARIABLE, asked)


def _wants_target(words: Sequence[str], typed: str) -> bool:
    """Return whether the word being typed is an argument, not an option or the possible value of one."""
    return bool(words) and words[0] in TAKES_TARGETS and words[-1][:1] != "-" and typed[:1] != "-"


def _say(shell: "ShellComplete", items: "Iterable[CompletionItem]") -> int:
    for item in items:
        click.echo(shell.format_completion(item))
    return 0


class _Completed(_Text):
    """A parameter of any text; `complete` returns its candidates."""

    def __init__(self, complete: "Callable[[str], list[CompletionItem]]") -> None:
        self._complete = complete

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        """Return the text unchanged: the runtime resolves it."""
        return value

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> "list[CompletionItem]":
        """Return the candidates with this prefix."""
        return self._complete(incomplete)


class Target(_Completed):
    """A target: completed with the known stages and the shell's file names."""

    name = "target"

    def __init__(self) -> None:
        """Complete with the names of stages."""
        super().__init__(_targets)


class ConfigKey(_Completed):
    """The key of a setting."""

    name = "key"

    def __init__(self) -> None:
        """Complete with the keys of the settings in use."""
        super().__init__(_keys)


def _keys(typed: str) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem  # noqa: PLC0415  # start-up time

    from pivot_runtime.config.settings import KEYS  # noqa: PLC0415

    names = [key.family or key.name for key in KEYS if key.read]
    return [CompletionItem(name, help=None) for name in names if name.startswith(typed)]


def _targets(typed: str) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem  # noqa: PLC0415  # start-up time

    lead = "+" if typed.startswith("+") else ""
    stages = [CompletionItem(lead + name) for name in _stages() if name.startswith(typed.removeprefix("+"))]
    return [*stages, CompletionItem(typed, type="file")]


def _stages() -> list[str]:
    """Return the bare names where they are unambiguous, and all addresses."""
    from pivot_runtime.loading.stage_index import known  # noqa: PLC0415  # start-up time

    try:
        addresses = known(find_root(working_directory()))
    except (PivotError, OSError):
        return []
    bare = [address.partition(".")[2] for address in addresses]
    return [*(name for name in bare if bare.count(name) == 1), *addresses]
