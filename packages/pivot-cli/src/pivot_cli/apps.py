"""Apps that other packages add to the command line: `pivot ui` and `pivot mcp`, found by their entry points."""

from typing import Final, NamedTuple, Protocol, cast

from pivot_core.errors import PivotError
from pivot_runtime.context import CommandContext

GROUP: Final = "pivot.apps"
"""The entry-point group; an entry has the name of the command."""


class UiOptions(NamedTuple):
    """The options of `pivot ui`.

    Attributes:
        port: The port on 127.0.0.1; None for any that is free.
        browser: Whether to open the page in a browser.
        allow_run: Whether the page may run and stop stages.
        export: A directory that gets the page as files, instead of a server; None for a server.
    """

    port: int | None = None
    browser: bool = True
    allow_run: bool = False
    export: str | None = None


class McpOptions(NamedTuple):
    """The options of `pivot mcp`.

    Attributes:
        allow_run: Whether the client may run stages.
    """

    allow_run: bool = False


class App[OptionsT](Protocol):
    """An app, which works until it is interrupted or has nothing left to do."""

    def __call__(self, context: CommandContext, options: OptionsT) -> int:
        """Return the exit code.

        Raises:
            PivotError: It cannot start.
        """
        ...


class AppMissingError(PivotError):
    """The package of an app is not installed."""

    def __init__(self, name: str) -> None:
        """Name the package and the extra."""
        super().__init__(
            f"'pivot {name}' needs the package pivot-{name}, which is not installed",
            hint=f"install pivot[{name}] from where you got Pivot",
        )


def load_app[OptionsT](name: str, options: type[OptionsT]) -> App[OptionsT]:
    """Return the app of a command.

    Args:
        name: The command.
        options: The type of the options that it takes.

    Raises:
        AppMissingError: Its package is not installed.
    """
    from importlib.metadata import entry_points  # lazy

    del options
    for entry in entry_points(group=GROUP, name=name):
        return cast("App[OptionsT]", entry.load())
    raise AppMissingError(name)
