"""`pivot ui --export`: writes the page and its answers into a directory."""

from pivot_cli.terminal import console, formats
from pivot_cli.terminal.progress import ObjectProgress
from pivot_runtime.context import CommandContext
from pivot_ui.export.export_directory import ExportDirectory
from pivot_ui.export.exported_answers import answers
from pivot_ui.project import ProjectService
from pivot_ui.server.answers import json_text
from pivot_ui.server.page_files import page_files

__all__ = ["export"]


def export(context: CommandContext, directory: str) -> int:
    """Export the project of a command, and print the path of the page.

    Raises:
        ExportError: The directory has other files, is one of Pivot's or git's own, or cannot be written.
        PivotError: No stage is known, since the pipelines cannot be loaded.
    """
    service = ProjectService(context.project.root, context.environment, exported=True)
    target = ExportDirectory(context.project.cwd / directory, directory)
    target.check(context.project.root)
    evaluated = service.evaluated()
    if evaluated.problem is not None:
        if not evaluated.status.stages:
            raise evaluated.problem
        console.warning(f"not all pipelines can be loaded: {evaluated.problem}")
    target.begin()
    left_out = 0
    with ObjectProgress("exporting") as progress:
        for key, found, total in answers(service):
            before = target.size
            if found is None:
                left_out += 1
            else:
                target.add(key, found, json_text(found))
            progress(total, 1, target.size - before)
    console.line(str(target.finish(page_files())))
    stages = formats.counted(len(evaluated.status.stages), "stage")
    console.note(
        f"exported {stages}, {formats.size(target.size)}: everyone who has the files can read logs and previews"
    )
    if left_out:
        console.note(f"{formats.counted(left_out, 'part')} could not be read, and the page says so")
    return 0
