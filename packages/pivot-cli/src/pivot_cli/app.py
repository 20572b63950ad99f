"""The command group: lists commands without importing them, and suggests the intended one for an unknown name."""

import importlib
import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from pivot_cli import help_texts
from pivot_cli.exit_codes import exit_code
from pivot_cli.terminal import console

if TYPE_CHECKING:
    from pivot_runtime.processes.early_fork import EarlyFork

type Commands = Mapping[str, tuple[str, str]]
"""By command name: the module whose ``command`` it is, and the first line of its help."""

COMMANDS: Final[Commands] = {
    "apply": ("pivot_cli.commands.apply", "Put a recorded result into the workspace: outs, lock files and parameters."),
    "cache": ("pivot_cli.commands.cache", "Inspect, verify and clean up the cache."),
    "check-ignore": ("pivot_cli.commands.check_ignore", "Show which line of .pivotignore ignores a path."),
    "checkout": ("pivot_cli.commands.checkout", "Restore outs and tracked data from the cache."),
    "commit": ("pivot_cli.commands.commit", "Accept the files in the workspace as results of the current code."),
    "clean": ("pivot_cli.commands.clean", "Remove outs from the workspace."),
    "completion": (
        "pivot_cli.commands.completion",
        "Complete commands, options, stages and files in your shell.",
    ),
    "dag": ("pivot_cli.commands.dag", "Show how stages depend on each other."),
    "config": ("pivot_cli.commands.config", "Show and change settings."),
    "diff": ("pivot_cli.commands.diff", "Show how an out or tracked data differ between revisions."),
    "docs": ("pivot_cli.commands.docs", "Read the documentation, which comes with Pivot and needs no network."),
    "doctor": ("pivot_cli.commands.doctor", "Check the project for problems and slow spots."),
    "fingerprint": (
        "pivot_cli.commands.fingerprint",
        "Show the code that each stage depends on, and code that is not tracked.",
    ),
    "fetch": ("pivot_cli.commands.fetch", "Download outs and tracked data from a remote into the cache."),
    "forget": ("pivot_cli.commands.forget", "Remove the records of stages, so that they count as never run."),
    "mv": ("pivot_cli.commands.mv", "Move tracked data to another path."),
    "pull": ("pivot_cli.commands.pull", "Download outs and tracked data from a remote, and restore them."),
    "push": ("pivot_cli.commands.push", "Upload outs and tracked data from the cache to a remote."),
    "verify": ("pivot_cli.commands.verify", "Verify that all stages are cached and their outs are available."),
    "freeze": ("pivot_cli.commands.freeze", "Keep stages from running until they are unfrozen."),
    "help": ("pivot_cli.commands.help", "Show the help of a command."),
    "get": ("pivot_cli.commands.get", "Write the recorded content of an out or of tracked data to a file."),
    "import": ("pivot_cli.commands.import_", "Bring in data of another repository, and record where they came from."),
    "import-pivot": ("pivot_cli.commands.import_pivot", "Take over the tracked data of Pivot 0.1 to 0.5."),
    "import-dvc": (
        "pivot_cli.commands.import_dvc",
        "Take a DVC project over: stages, data, cache, settings and results.",
    ),
    "import-url": ("pivot_cli.commands.import_url", "Download the content of a URL, and record where it came from."),
    "init": ("pivot_cli.commands.init", "Make the current directory the root of a project."),
    "list": ("pivot_cli.commands.list", "List stages with their deps and outs, and where they are defined."),
    "lock": ("pivot_cli.commands.lock", "Merge lock files."),
    "logs": ("pivot_cli.commands.logs", "Print the output of the last run of stages."),
    "mcp": ("pivot_cli.commands.mcp", "Let assistants ask about the project: the Model Context Protocol."),
    "metrics": ("pivot_cli.commands.metrics", "Show the values of metrics, and how they differ between revisions."),
    "plots": ("pivot_cli.commands.plots", "Draw the plots of any revision on a page."),
    "params": ("pivot_cli.commands.params", "Show the parameters of stages, and how they differ between revisions."),
    "results": ("pivot_cli.commands.results", "Compare the recorded results: parameters and metrics."),
    "run": ("pivot_cli.commands.run", "Run exactly the named stages, on the current files."),
    "history": ("pivot_cli.commands.history", "List the last runs, the newest first."),
    "show": ("pivot_cli.commands.show", "Show a run: its stages, the reasons, times and resources."),
    "remote": ("pivot_cli.commands.remote", "Show and change the remotes that share outs."),
    "report": ("pivot_cli.commands.report", "Write everything about the project's results on one page."),
    "repro": ("pivot_cli.commands.repro", "Run the stages whose code or inputs changed."),
    "track": ("pivot_cli.commands.track", "Track data files or directories that no stage writes."),
    "update": ("pivot_cli.commands.update", "Bring in imported data again whose source has changed."),
    "unfreeze": ("pivot_cli.commands.unfreeze", "Let frozen stages run again."),
    "untrack": ("pivot_cli.commands.untrack", "Stop tracking data."),
    "schema": ("pivot_cli.commands.schema", "Print the JSON Schema of pivot.yaml."),
    "status": ("pivot_cli.commands.status", "Show which stages are cached, which are stale, and why."),
    "ui": ("pivot_cli.commands.ui", "Show the project as a page in your browser: graph, reasons, results."),
    "warm": ("pivot_cli.commands.warm", "Inspect and end the process that waits for the next command."),
}

PAGES: Final[Mapping[str, str]] = {
    "apply": "sweeps#putting-a-result-into-the-workspace",
    "cache": "cache",
    "cache drop": "cache#dropping-objects",
    "cache gc": "cache#freeing-space",
    "cache verify": "cache#verifying-the-cache",
    "check-ignore": "tidying#files-that-nothing-uses",
    "checkout": "cache",
    "clean": "tidying#removing-outs",
    "commit": "running#running-without-recording",
    "completion": "install#completion",
    "config": "configuration",
    "dag": "artifacts-and-dag",
    "diff": "results#outs",
    "doctor": "troubleshooting",
    "fetch": "remote-storage",
    "fingerprint": "fingerprinting",
    "forget": "tidying#forgetting-runs",
    "freeze": "when-stages-run#frozen-stages",
    "get": "importing#a-single-file",
    "history": "history",
    "import": "importing#another-repository",
    "import-dvc": "dvc",
    "import-pivot": "earlier-pivot",
    "import-url": "importing#a-url",
    "init": "quick-start",
    "list": "artifacts-and-dag",
    "lock": "merges",
    "logs": "running#output-of-a-stage",
    "mcp": "mcp",
    "metrics": "results#metrics",
    "mv": "tidying#moving-tracked-data",
    "params": "params",
    "plots": "results#plots",
    "pull": "remote-storage",
    "push": "remote-storage",
    "remote": "remotes",
    "remote gc": "remote-storage#deleting-what-nobody-needs",
    "report": "results#a-report",
    "repro": "running",
    "results": "sweeps#the-results",
    "run": "running",
    "schema": "pivot-yaml",
    "show": "history",
    "status": "decisions",
    "track": "files#data-that-no-stage-writes",
    "ui": "ui",
    "unfreeze": "when-stages-run#frozen-stages",
    "untrack": "files#data-that-no-stage-writes",
    "update": "importing#changed-sources",
    "verify": "ci",
    "warm": "warm",
}
"""By the words of a command, or of its group: the page of `pivot docs` that its help names."""

_MEANT: Final = {
    "add": "track",
    "exp": "repro --compare, results or apply",
    "experiments": "repro --compare, results or apply",
    "explain": "status --explain",
    "gc": "cache gc",
    "log": "logs or history",
    "ls": "list",
    "man": "docs",
    "move": "mv",
    "remove": "untrack, forget or clean",
    "rm": "untrack, forget or clean",
    "stage": "list",
    "version": "--version",
    "watch": "repro --watch",
    "why": "status --explain",
}
"""The commands for those of similar tools, where the names are not alike."""

type Beginning = tuple[frozenset[str], tuple[str, ...], tuple[int, int, int]]
"""The modules that this process had imported when it began; the import path and the thresholds of the garbage collector
of a new interpreter."""


class Invocation(NamedTuple):
    """The start of a command.

    Attributes:
        began: Its time, by the monotonic clock in seconds.
        beginning: The state of this process then; None if it is another program's, which must not be forked.
        early_fork: A process that was forked then, to import the user's code.
        arguments: The words of the command line.
    """

    began: float
    beginning: Beginning | None
    early_fork: "EarlyFork | None" = None
    arguments: tuple[str, ...] = ()


class SuggestingGroup(click.Group):
    """A group that suggests the intended command, and whose commands name their page of the documentation."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command with its page at the end of its help; None if there is none of that name."""
        command = self.find_command(ctx, cmd_name)
        group = self.name if self.name in COMMANDS else None
        page = PAGES.get(f"{group} {cmd_name}") or PAGES.get(group or cmd_name)
        line = f"Read more: pivot docs {page}"
        if command is not None and page is not None and line not in (command.epilog or ""):
            command.epilog = f"{command.epilog}\n\n{line}" if command.epilog else line
        return command

    def find_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command as click does."""
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command as click does, with a suggestion for an unknown name."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            from pivot_core.errors import suggest  # lazy

            meant = _MEANT.get(args[0]) if ctx.parent is None else None
            hint = f"did you mean {meant}?" if meant else suggest(args[0], known, most=3) or ""
            raise click.UsageError(f"No such command {args[0]!r}. {hint.capitalize()}".rstrip(), ctx)
        return super().resolve_command(ctx, args)


class LazyGroup(SuggestingGroup):
    """A group whose commands are imported when they are called instead of when they are listed."""

    def __init__(self, *arguments: Any, listed: Commands, **options: Any) -> None:
        """Accept click's arguments; ``listed`` are the commands."""
        super().__init__(*arguments, **options)
        self.listed = listed

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the sorted names."""
        return sorted(self.listed)

    def find_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; return None if there is none of that name."""
        known = self.listed.get(cmd_name)
        if known is None:
            return None
        command: click.Command = importlib.import_module(known[0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.listed[name][1]) for name in sorted(self.listed)])


def command_group(name: str, commands: Commands) -> LazyGroup:
    """Create the group ``pivot NAME`` of these commands, with its help as listed above."""
    epilog = f"Run 'pivot {name} COMMAND --help' for the options of a command."
    return LazyGroup(name, listed=commands, help=COMMANDS[name][1], epilog=epilog)


def _change_directory(_: click.Context, __: click.Parameter, value: str | None) -> None:
    if value is not None:
        try:
            os.chdir(value)
        except OSError as error:
            raise click.BadParameter(f"{value!r}: {error.strerror}") from None


def _show_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click's signature
    if value and not ctx.resilient_parsing:
        from pivot_cli.version import version_line  # lazy

        console.data(version_line())
        ctx.exit()


@click.group(
    cls=LazyGroup,
    listed=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": help_texts.width()},
    epilog="Run 'pivot COMMAND --help' for the options of a command.",
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.option(
    "-C",
    "--directory",
    metavar="DIR",
    is_eager=True,
    expose_value=False,
    callback=_change_directory,
    help="Work as if started in DIR.",
)
def cli() -> None:
    """Change your code; Pivot knows what to run."""


def run(
    arguments: list[str],
    beginning: Beginning | None = None,
    began: float | None = None,
    early_fork: "EarlyFork | None" = None,
) -> int:
    """Parse the arguments and run the command; every way to end becomes an exit code.

    With ``beginning``, this process may be forked to import the user's code; ``early_fork`` is such a fork. The command
    ``began`` then, or just now.
    """
    invocation = Invocation(time.monotonic() if began is None else began, beginning, early_fork, (*arguments,))
    try:
        with cli.make_context("pivot", list(arguments), obj=invocation) as context:
            outcome: Any = cli.invoke(context)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has closed it; the command's work is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # each becomes an exit code
        return exit_code(error, arguments)
    return outcome if isinstance(outcome, int) else 0
