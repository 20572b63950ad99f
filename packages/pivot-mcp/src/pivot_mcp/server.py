"""The server's tools, with the descriptions that a model reads."""

from typing import Annotated, Any, Final

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import ToolAnnotations
from pydantic import Field

from pivot_mcp import questions
from pivot_mcp.answers import MOST_LINES, MOST_OFFSET, MOST_ROWS
from pivot_mcp.commands import RunningCommands
from pivot_mcp.project import ServedProject
from pivot_runtime.previews.preview import WORKSPACE, PreviewRequest, Window

_INSTRUCTIONS: Final = (
    "Pivot runs the stages of a data pipeline whose code or inputs have changed, and skips all others. Ask `status` "
    "which stages are stale, `explain` why one is, and `what_would_change` before you edit code: it shows which stages "
    "an edit would make stale, without making it. Stages are named `stage`, or `pipeline.stage` if several pipelines "
    "have one of that name. Paths are relative to the root of the project."
)
_NO_CODE: Final = (
    " This server may not run code, so edited Python code is compared as text and never imported: the answer is "
    "certain, except for stages in `may_change`, each with the reason."
)

Stages = Annotated[list[str] | None, Field(description="Names of stages, or paths of outs; none means all stages")]
Stage = Annotated[str, Field(description="The name of a stage")]


def create_server(project: ServedProject, version: str) -> "MCPServer[Any]":
    """Return the server of a project; the tool `run` is there only if the client may run stages."""
    server: MCPServer[Any] = MCPServer(
        "pivot", title="Pivot", instructions=_INSTRUCTIONS, version=version, log_level="ERROR"
    )
    _add_questions(server, project)
    _add_what_would_change(server, project)
    _add_records(server, project)
    if project.allow_run:
        _add_run(server, project)
    return server


def _looking(title: str) -> ToolAnnotations:
    return ToolAnnotations(title=title, read_only_hint=True, destructive_hint=False, open_world_hint=False)


def _add_questions(server: "MCPServer[Any]", project: ServedProject) -> None:
    async def status(
        stages: Stages = None,
        *,
        stale_only: Annotated[bool, Field(description="Leave out stages that are cached")] = False,
    ) -> dict[str, Any]:
        """Show which stages are cached and which are stale, each with the main reason."""
        return await project.ask(lambda context: questions.ask_status(context, stages or (), stale_only=stale_only))

    async def explain(stage: Stage) -> dict[str, Any]:
        """Explain why a stage is stale, or what was compared if it is cached.

        A change of code comes with file, line and the edited lines; others are of parameters, data, variables and
        libraries.
        """
        return await project.ask(lambda context: questions.ask_explain(context, stage))

    async def graph(stages: Stages = None) -> dict[str, Any]:
        """List stages with what they read and write, their parameters, and where they are defined."""
        return await project.ask(lambda context: questions.ask_graph(context, stages or ()))

    server.add_tool(status, annotations=_looking("Status of stages"))
    server.add_tool(explain, annotations=_looking("Why a stage is stale"))
    server.add_tool(graph, annotations=_looking("Stages and their files"))


def _add_what_would_change(server: "MCPServer[Any]", project: ServedProject) -> None:
    async def what_would_change(
        diff: Annotated[str | None, Field(description="A unified diff, as 'git diff' writes it")] = None,
        files: Annotated[
            dict[str, str | None] | None,
            Field(description="Instead of a diff: whole contents of edited files, by path; null deletes a file"),
        ] = None,
        stages: Stages = None,
    ) -> dict[str, Any]:
        """Show which stages an edit would make stale, and why, without making it.

        A diff must fit the files as they are now.
        """
        imports = project.allow_run
        return await project.ask(
            lambda context: questions.ask_edit(context, diff, files, stages or (), imports=imports)
        )

    described = (what_would_change.__doc__ or "").strip() + ("" if project.allow_run else _NO_CODE)
    server.add_tool(
        what_would_change, description=described, annotations=_looking("Stages that an edit would make stale")
    )


def _add_records(server: "MCPServer[Any]", project: ServedProject) -> None:
    async def logs(
        stage: Stage,
        lines: Annotated[int, Field(ge=1, le=MOST_LINES, description="The last lines only")] = 100,
        back: Annotated[int, Field(ge=0, le=3, description="Of the run that many runs earlier")] = 0,
    ) -> dict[str, Any]:
        """Show what the last run of a stage printed, also while it runs."""
        return await project.ask(lambda context: questions.ask_logs(context, stage, lines, back))

    async def metrics(
        revisions: Annotated[
            list[str] | None, Field(description="Branches, tags or commits, or 'workspace'; none means the workspace")
        ] = None,
        targets: Annotated[list[str] | None, Field(description="Stages, or paths of metrics; none means all")] = None,
    ) -> dict[str, Any]:
        """Show the values of metrics, in the workspace or at git revisions, to compare them."""
        return await project.ask(lambda context: questions.ask_metrics(context, revisions or (), targets or ()))

    async def results(
        last: Annotated[int, Field(ge=1, le=MOST_ROWS, description="The newest ones only")] = 20,
    ) -> dict[str, Any]:
        """Show the recorded results of runs and sweeps: parameters and metrics, the newest first."""
        return await project.ask(lambda context: questions.ask_results(context, last))

    async def load_preview(
        path: Annotated[str, Field(description="The path of an out, a dep or tracked data")],
        side: Annotated[
            str, Field(description="'workspace', 'recorded' for what the last run wrote, or a branch, tag or commit")
        ] = WORKSPACE,
        inside: Annotated[str, Field(description="A path in the directory at 'path'")] = "",
        offset: Annotated[int, Field(ge=0, le=MOST_OFFSET, description="The number of rows or entries before it")] = 0,
        limit: Annotated[int, Field(ge=1, le=MOST_ROWS, description="The number of rows or entries")] = 50,
    ) -> dict[str, Any]:
        """Show a part of a file or directory: rows of a table with the types of columns, JSON, a text, or entries."""
        request = PreviewRequest(path, side, inside, Window(offset, limit))
        return await project.ask(lambda context: questions.ask_preview(context, request))

    server.add_tool(load_preview, annotations=_looking("Part of a file or directory"))
    server.add_tool(logs, annotations=_looking("Output of a stage"))
    server.add_tool(metrics, annotations=_looking("Values of metrics"))
    server.add_tool(results, annotations=_looking("Recorded results"))


def _add_run(server: "MCPServer[Any]", project: ServedProject) -> None:
    commands = RunningCommands(project.root, project.environment)

    async def run(
        context: Context[Any, Any],
        stages: Stages = None,
        *,
        only: Annotated[bool, Field(description="Run exactly these stages, and none upstream")] = False,
        force: Annotated[bool, Field(description="Run them even if they are cached")] = False,
    ) -> dict[str, Any]:
        """Run the stages that are stale, those upstream first, and wait for the end.

        Outs in the workspace are replaced. Cancelling the request stops the stages; those that have ended are recorded.
        """
        words = ["run" if only else "repro", "--all", *(["--force"] if force else [])]

        async def progress(count: int, line: str) -> None:
            await context.report_progress(count, message=line)

        named = stages or ()
        separator = ["--"] if any(each.startswith("-") for each in named) else []
        return await commands.run([*words, *separator, *named], progress)

    annotations = ToolAnnotations(title="Run stages", read_only_hint=False, destructive_hint=True, open_world_hint=True)
    server.add_tool(run, annotations=annotations)
