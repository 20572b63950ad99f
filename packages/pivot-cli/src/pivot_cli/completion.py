"""Completes half-typed names from recorded stages, without importing user code."""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import click

from pivot_cli.app import cli
from pivot_cli.context import working_directory
from pivot_core.discovery import find_root
from pivot_core.errors import PivotError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem, ShellComplete

VARIABLE: Final = "_PIVOT_COMPLETE"
"""The environment variable through which a shell requests completions."""

TAKES_TARGETS: Final = frozenset(
    {
        "checkout",
        "clean",
        "commit",
        "dag",
        "diff",
        "fetch",
        "fingerprint",
        "forget",
        "get",
        "freeze",
        "list",
        "logs",
        "pull",
        "push",
        "repro",
        "run",
        "status",
        "unfreeze",
        "verify",
    }
)
"""The commands whose arguments are targets; completing these does not import the command."""


def answer(asked: str) -> int:
    """Answer a shell's request for completions; return the exit code."""
    from click.shell_completion import get_completion_class, shell_complete  # lazy

    kind = get_completion_class(asked.partition("_")[0])
    if kind is not None and asked.endswith("_complete"):
        shell = kind(cli, {}, "pivot", VARIABLE)
        words, typed = shell.get_completion_args()
        if _wants_target(words, typed):
            return _say(shell, target_candidates(typed))
    return shell_complete(cli, {}, "pivot", VARIABLE, asked)


def _wants_target(words: Sequence[str], typed: str) -> bool:
    """Return whether the word being typed is an argument, not an option or the possible value of one."""
    return bool(words) and words[0] in TAKES_TARGETS and words[-1][:1] != "-" and typed[:1] != "-"


def _say(shell: "ShellComplete", items: "Iterable[CompletionItem]") -> int:
    for item in items:
        click.echo(shell.format_completion(item))
    return 0


def setting_candidates(_: click.Context, __: click.Parameter, typed: str) -> "list[CompletionItem]":
    """Return the settings whose name begins with the typed text; the ``shell_complete`` of an argument."""
    from click.shell_completion import CompletionItem  # lazy

    from pivot_runtime.config.keys import KEYS  # lazy

    names = [key.family or key.name for key in KEYS]
    return [CompletionItem(name, help=None) for name in names if name.startswith(typed)]


def target_candidates(typed: str) -> "list[CompletionItem]":
    """Return a request for the shell's files, and the known stages whose name begins with the typed text.

    The request comes first, since bash forgets what came before it. The script of zsh loses an empty word, and with it
    the order of all words after it.
    """
    from click.shell_completion import CompletionItem  # lazy

    lead = "+" if typed.startswith("+") else ""
    stages = [CompletionItem(lead + name) for name in _stages() if name.startswith(typed.removeprefix("+"))]
    in_zsh = os.environ.get(VARIABLE, "").startswith("zsh")
    return [CompletionItem(typed or "_" * in_zsh, type="file"), *stages]


def remote_candidates(typed: str) -> "list[CompletionItem]":
    """Return the configured remotes whose name begins with the typed text."""
    from click.shell_completion import CompletionItem  # lazy

    from pivot_cli.context import config_store  # lazy
    from pivot_runtime.config.remotes import list_remotes  # lazy

    try:
        remotes = list_remotes(config_store().read())
    except (PivotError, OSError):
        return []
    return [CompletionItem(each.name) for each in remotes if each.name.startswith(typed)]


def revision_candidates(typed: str) -> "list[CompletionItem]":
    """Return the branches and tags whose name begins with the typed text."""
    from click.shell_completion import CompletionItem  # lazy

    from pivot_runtime.git.commits import names  # lazy

    try:
        known = names(working_directory())
    except (PivotError, OSError):
        return []
    return [CompletionItem(name, help=None) for name in known if name.startswith(typed)]


def result_candidates(typed: str) -> "list[CompletionItem]":
    """Return the IDs of results that begin with the typed text, the newest first, with their metrics."""
    from click.shell_completion import CompletionItem  # lazy

    from pivot_runtime.context import CommandContext  # lazy
    from pivot_runtime.sweeps.results import known_results  # lazy

    try:
        known = known_results(CommandContext.find(working_directory(), os.environ))
    except (PivotError, OSError):
        return []
    return [CompletionItem(name, help=text or None) for name, text in known.items() if name.startswith(typed.lower())]


def _stages() -> list[str]:
    """Return the bare names where they are unambiguous, and all addresses."""
    from pivot_runtime.project.stage_index import known  # lazy

    try:
        addresses = known(find_root(working_directory()))
    except (PivotError, OSError):
        return []
    bare = [address.partition(".")[2] for address in addresses]
    return [*(name for name in bare if bare.count(name) == 1), *addresses]
