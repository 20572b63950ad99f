"""Arguments and options that several commands share, with the same meaning everywhere."""

import functools
import re
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import click

from pivot_cli.context import NO_SNAPSHOT
from pivot_core.spec import LOCAL

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from pivot_runtime.artifacts.checkout import CheckoutMode

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class WholeNumber(click.IntRange):
    """The type of an argument that is a whole number in a range; errors call it so."""

    name = "whole number"


def complete_targets(_: click.Context, __: click.Parameter, typed: str) -> "list[CompletionItem]":
    """Return the candidates for a half-typed stage or path."""
    from pivot_cli.completion import target_candidates  # lazy

    return target_candidates(typed)


def complete_remotes(_: click.Context, __: click.Parameter, typed: str) -> "list[CompletionItem]":
    """Return the candidates for the half-typed name of a remote."""
    from pivot_cli.completion import remote_candidates  # lazy

    return remote_candidates(typed)


def complete_results(_: click.Context, __: click.Parameter, typed: str) -> "list[CompletionItem]":
    """Return the candidates for a half-typed ID of a result."""
    from pivot_cli.completion import result_candidates  # lazy

    return result_candidates(typed)


targets = click.argument("targets", nargs=-1, metavar="[TARGETS]...", shell_complete=complete_targets)
"""Arguments: names or addresses of stages, or paths of outs."""

stages = click.argument("stages", nargs=-1, metavar="[STAGES]...", shell_complete=complete_targets)
"""Arguments: stages, for commands that do not accept paths."""

some_stages = click.argument("stages", nargs=-1, required=True, metavar="STAGES...", shell_complete=complete_targets)
"""Arguments: at least one stage."""


def _disable_snapshots(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click's
    context.meta[NO_SNAPSHOT] = value


_NO_SNAPSHOT: Final = click.option(
    "--no-snapshot",
    is_flag=True,
    expose_value=False,
    callback=_disable_snapshots,
    help="Import the pipelines again, even if nothing has changed since the last import.",
)
_ALL: Final = click.option(
    "-a", "--all", "all_pipelines", is_flag=True, help="Load every pipeline under the project's root."
)


def all_pipelines[F: Callable[..., Any]](command: F) -> F:
    """Options: which pipelines to load, and whether to import them even if nothing has changed."""
    return _with_options(command, (_ALL, _NO_SNAPSHOT))


_OVERRIDES: Final = (
    click.option(
        "-p",
        "--param",
        "overrides",
        multiple=True,
        metavar="STAGE.NAME=VALUE",
        help="Set a parameter of a stage for this command.",
    ),
    click.option(
        "--var",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a variable of pivot.yaml for this command.",
    ),
)


def overrides(command: Callable[..., int]) -> Callable[..., int]:
    """Options: values of parameters and variables, for `CommandContext`; the argument ``overrides`` has both."""

    @functools.wraps(command)
    def with_overrides(*, overrides: tuple[str, ...], variables: tuple[str, ...], **others: Any) -> int:
        return command(overrides=(*overrides, *(f"${each}" for each in variables)), **others)

    return _with_options(with_overrides, _OVERRIDES)


checkout_mode = click.option(
    "--checkout-mode",
    type=click.Choice(["copy", "hardlink", "symlink"]),
    help="How to create files from the cache.  [default: cache.checkout_mode, else copy]",
)
"""Option: how files are created from objects; there is no fallback to another mode."""


relink = click.option(
    "--relink", is_flag=True, help="Create unchanged files again if they are not of this kind: copies or links."
)
"""Option: whether files that are as recorded become links or copies."""


def mode_of(chosen: str | None) -> "CheckoutMode | None":
    """Return the requested mode, if any."""
    from pivot_runtime.artifacts.checkout import CheckoutMode  # lazy

    return None if chosen is None else CheckoutMode(chosen)


def age(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Parse an age into ns, as an option's callback: ``30d``, ``12h``, ``2w``, ``45m``, ``10s`` or ``0``."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,6})([smhdw])|0", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not an age; write it as 30d, 12h or 2w")
    return int(match[1] or 0) * _SECONDS[match[2] or "s"] * 1_000_000_000


def size(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Parse a size into bytes, as an option's callback: ``50GB``, ``1.5 TB``, ``200MiB``, ``0``."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?) ?([kMGT]?i?)B?", value, re.IGNORECASE)
    if match is None:
        raise click.BadParameter(f"{value!r} is not a size; write it as 500MB or 50GB")
    unit = match[2].lower()
    return int(float(match[1]) * (1024 if unit.endswith("i") else 1000) ** " kmgt".index(unit[:1] or " "))


everywhere = click.option(
    "--global", "user", is_flag=True, help="Use your own file, for all projects, instead of the project's."
)
"""Option: which settings file is meant."""

quiet = click.option("-q", "--quiet", is_flag=True, help="Print only problems.")
"""Option: whether to leave out what is no problem."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
"""Option: output for programs."""

_VERBOSITY: Final = (
    click.option("--explain", is_flag=True, help="Show in detail why each stage runs."),
    quiet,
    click.option(
        "-v", "--verbose", is_flag=True, help="Same as --explain, and show the resources that each stage used."
    ),
    click.option("--jsonl", is_flag=True, help="Print events on stdout, one line of JSON each."),
)


def verbosity[F: Callable[..., Any]](command: F) -> F:
    """Options: how much a run reports, and in which form; the fields of `Verbosity`."""
    return _with_options(command, _VERBOSITY)


remote = click.option(
    "-r",
    "--remote",
    metavar="NAME",
    shell_complete=complete_remotes,
    help="The remote to use.  [default: default_remote, or the only one]",
)
"""Option: which remote."""

transfers = click.option(
    "-j",
    "--jobs",
    type=WholeNumber(min=1),
    metavar="N",
    help="Number of parallel transfers.  [default: remote.jobs, else 20]",
)
"""Option: how many transfers run at the same time."""

refresh = click.option("--refresh", is_flag=True, help="Ask the remote about every object, even about known ones.")
"""Option: whether to ask the remote about objects that it is known to have."""


def complete_executors(_: click.Context, __: click.Parameter, typed: str) -> "list[CompletionItem]":
    """Return the addresses of executors on this machine that complete the typed text."""
    from click.shell_completion import CompletionItem  # lazy

    return [CompletionItem(each, help=None) for each in (LOCAL, "dask://local") if each.startswith(typed)]


def _executor(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Check the address of an executor, as an option's callback."""
    if value is None:
        return None
    from pivot_runtime.config import keys  # lazy

    return str(keys.parse_value("executor", value)[1])


_RUN_OPTIONS: Final = (
    click.option(
        "-j",
        "--jobs",
        type=WholeNumber(min=1),
        metavar="N",
        help="Number of stages to run at once.  [default: run.jobs, else the number of available processors]",
    ),
    click.option(
        "-k",
        "--keep-going/--no-keep-going",
        default=None,
        help="After a failure, still run independent stages.  [default: run.keep_going, else no]",
    ),
    click.option(
        "-i",
        "--ignore-errors",
        is_flag=True,
        help="After a failure, also run stages that depend on it, with the files that are there.",
    ),
    click.option(
        "--no-commit",
        is_flag=True,
        help="Run stages, but store and record nothing; 'pivot commit' does that later.",
    ),
    click.option(
        "--show-output",
        is_flag=True,
        help="Show the output of stages immediately, with the stage's name before each line.",
    ),
    click.option(
        "--no-wait", is_flag=True, help="If another command is changing this project, fail with exit code 3 at once."
    ),
    click.option(
        "--executor",
        metavar="ADDRESS",
        callback=_executor,
        shell_complete=complete_executors,
        help="Run stages on the cluster at ADDRESS, as in dask://HOST:PORT, or local.  [default: executor, else local]",
    ),
    click.option(
        "--fetch-outs", is_flag=True, help="Also bring the outs of stages that ran on a cluster into the workspace."
    ),
    click.option(
        "--in-process",
        is_flag=True,
        help="Run stages in this process, one after the other, for debuggers, profilers and coverage.",
    ),
    click.option("--pdb", is_flag=True, help="Same as --in-process, and open the debugger where a stage fails."),
)


def run_options(command: Callable[..., int]) -> Callable[..., int]:
    """Options: how stages are run; the command receives them as its argument ``run_options``."""

    @functools.wraps(command)
    def with_run_options(  # noqa: PLR0913  # one parameter per option
        *,
        jobs: int | None,
        keep_going: bool | None,
        ignore_errors: bool,
        no_commit: bool,
        show_output: bool,
        no_wait: bool,
        executor: str | None,
        fetch_outs: bool,
        in_process: bool,
        pdb: bool,
        **others: Any,
    ) -> int:
        if executor not in (None, LOCAL):
            excluded = {"--in-process": in_process, "--pdb": pdb, "--no-commit": no_commit}
            excluded["--compare"] = others.get("compare", False)
            for option, given in excluded.items():
                if given:
                    raise click.UsageError(f"--executor and {option} exclude each other: {option} runs stages here")
        from pivot_runtime.running.repro import RunOptions  # lazy

        chosen = RunOptions(
            jobs=jobs,
            keep_going=keep_going,
            ignore_errors=ignore_errors,
            no_commit=no_commit,
            wait=not no_wait,
            show_output=show_output,
            owns_children=click.get_current_context().obj.beginning
            is not None,  # otherwise it is another program's process
            in_process=in_process or pdb,
            debugger=_post_mortem if pdb else None,
            executor=executor,
            fetch_outs=fetch_outs,
        )
        return command(run_options=chosen, **others)

    return _with_options(with_run_options, _RUN_OPTIONS)


def complete_revisions(_: click.Context, __: click.Parameter, typed: str) -> "list[CompletionItem]":
    """Return the branches and tags that complete the typed text."""
    from pivot_cli.completion import revision_candidates  # lazy

    return revision_candidates(typed)


def revisions[F: Callable[..., Any]](most: int | None) -> Callable[[F], F]:
    """Arguments: git revisions, at most so many."""

    def check(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
        if most is not None and len(given) > most:
            raise click.UsageError(f"at most {most} revisions can be compared, not {len(given)}")
        return given

    metavar = "[REV]..." if most is None else "[REV [REV]]"
    return click.argument("revisions", nargs=-1, metavar=metavar, callback=check, shell_complete=complete_revisions)


narrowing = click.option(
    "-t",
    "--target",
    "targets",
    multiple=True,
    metavar="TARGET",
    shell_complete=complete_targets,
    help="Only this stage or path; can be repeated.",
)
"""Option: which stages and paths, where arguments are revisions."""

pull_content = click.option("--pull", is_flag=True, help="Fetch what the cache lacks from the default remote.")
"""Option: whether content that the cache lacks is fetched."""


_PAGE_OUTPUT: Final = (
    click.option(
        "-o",
        "--output",
        "path",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Write the page to FILE; - is stdout.  [default: a file in .pivot/state.db/pages]",
    ),
    click.option("--open", "in_browser", is_flag=True, help="Open the page in the browser."),
)


def page_output(command: Callable[..., int]) -> Callable[..., int]:
    """Options: where a page is written; the command receives them as its argument ``output``, None if none is given."""

    @functools.wraps(command)
    def with_output(*arguments: Any, path: str | None, in_browser: bool, **others: Any) -> int:
        if path is None and not in_browser:
            return command(*arguments, output=None, **others)
        from pivot_cli.pages.output import PageOptions  # lazy

        return command(*arguments, output=PageOptions(path, in_browser), **others)

    return _with_options(with_output, _PAGE_OUTPUT)


_VALUE_FORMATS: Final = (
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
    click.option("--md", "as_markdown", is_flag=True, help="Print a table in Markdown, such as for a pull request."),
    click.option(
        "--precision",
        type=WholeNumber(1, 17),
        metavar="N",
        default=5,
        help="Show numbers with N significant digits.  [default: 5]",
    ),
)


def value_formats(command: Callable[..., int]) -> Callable[..., int]:
    """Options: the form of values; the command receives them as its arguments ``form`` and ``precision``."""

    @functools.wraps(command)
    def with_form(*arguments: Any, as_json: bool, as_markdown: bool, **others: Any) -> int:
        if as_json and as_markdown:
            raise click.UsageError("--json and --md exclude each other")
        return command(*arguments, form="json" if as_json else "md" if as_markdown else "text", **others)

    return _with_options(with_form, _VALUE_FORMATS)


def _with_options[F: Callable[..., Any]](command: F, options: tuple[Callable[[F], F], ...]) -> F:
    """Add these options to a command, in the order of its help."""
    for option in reversed(options):
        command = option(command)
    return command


def _post_mortem(place: TracebackType) -> None:
    """Open the debugger on the terminal at the place where a stage failed."""
    import pdb  # lazy  # noqa: T100

    pdb.post_mortem(place)
