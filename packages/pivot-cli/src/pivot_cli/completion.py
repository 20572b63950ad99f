"""What a shell offers when a name is half typed: from what is recorded, so that nothing of the user's is imported."""

from typing import TYPE_CHECKING, Any

import click

from pivot_cli.group import working_directory
from pivot_core.discovery import find_root
from pivot_core.errors import PivotError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # older releases of click are not generic


class Target(_Text):
    """The name of a stage, or a path."""

    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        """As it is."""
        return value

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> "list[CompletionItem]":
        """The stages that have run, and whatever the shell knows of files."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  # start-up time

        lead = "+" if incomplete.startswith("+") else ""
        typed = incomplete.removeprefix("+")
        stages = [CompletionItem(lead + name) for name in _stages() if name.startswith(typed)]
        return [*stages, CompletionItem(incomplete, type="file")]


class ConfigKey(_Text):
    """The name of something that can be configured."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        """As it is."""
        return value

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> "list[CompletionItem]":
        """The keys that something reads."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  # start-up time

        from pivot_engine.settings import KEYS  # noqa: PLC0415

        names = [key.family or key.name for key in KEYS if key.read]
        return [CompletionItem(name, help=None) for name in names if name.startswith(incomplete)]


def _stages() -> list[str]:
    """Bare names where they are unambiguous, and all addresses."""
    from pivot_engine.knownstages import known  # noqa: PLC0415  # start-up time

    try:
        addresses = known(find_root(working_directory()))
    except (PivotError, OSError):
        return []
    bare = [address.partition(".")[2] for address in addresses]
    return [*(name for name in bare if bare.count(name) == 1), *addresses]
