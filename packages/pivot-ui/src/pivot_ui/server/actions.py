"""Actions of the page: run, stop, and open a file in the editor."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pivot_runtime.project import pipeline_files
from pivot_ui.editor import open_file
from pivot_ui.errors import BadQueryError, NothingThereError
from pivot_ui.live.page_command import PageCommand
from pivot_ui.project import ProjectService

__all__ = ["ACTIONS", "Action", "Hands", "parse_body"]


class Hands(NamedTuple):
    """The objects that actions work with.

    Attributes:
        service: The project.
        command: The command that the page has started.
    """

    service: ProjectService
    command: PageCommand


type Action = Callable[[Hands, Mapping[str, Any]], Any]


def parse_body(data: bytes) -> Mapping[str, Any]:
    """Return the fields of a body.

    Raises:
        BadQueryError: It is no JSON object.
    """
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        raise BadQueryError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise BadQueryError("the body is not a JSON object")
    return found


def start_run(hands: Hands, body: Mapping[str, Any]) -> dict[str, Any]:
    """Start `pivot repro`, or `pivot run` for ``only`` the targets."""
    targets, only, force = body.get("targets", []), body.get("only", False), body.get("force", False)
    if not (isinstance(targets, list) and all(isinstance(each, str) for each in targets)):
        raise BadQueryError("'targets' is not a list of addresses")
    if not (isinstance(only, bool) and isinstance(force, bool)):
        raise BadQueryError("'only' and 'force' are true or false")
    if only and not targets:
        raise BadQueryError("'only' needs targets")
    names = _names(hands.service, targets) if hands.service.allow_run else []
    options = [*_which_pipelines(hands.service, names), *(["--force"] if force else [])]
    return {"command": hands.command.start(["run" if only else "repro", *options, *names])}


def _names(service: ProjectService, addresses: Sequence[str]) -> list[str]:
    """The names of stages as a person types them: short where one stage alone has the name. None is an option."""
    seen = service.evaluated()
    for each in addresses:
        if seen.stage(each) is None:
            raise NothingThereError(f"there is no stage {each!r}")
    return [seen.overview.names[each] for each in addresses]


def _which_pipelines(service: ProjectService, names: Sequence[str]) -> list[str]:
    """The option that includes all pipelines, unless only stages of the project's single pipeline are asked for."""
    if not names:
        return ["--all"]
    context = service.context()
    files = pipeline_files.every(context.project, context.read_set)
    return [] if [each.parent for each in files] == [context.project.root] else ["--all"]


def stop_run(hands: Hands, _: Mapping[str, Any]) -> dict[str, Any]:
    """Interrupt the command that the page has started."""
    return {"stopped": hands.command.stop()}


def open_in_editor(hands: Hands, body: Mapping[str, Any]) -> dict[str, Any]:
    """Open a ``file`` at a ``line``."""
    file, line = body.get("file"), body.get("line", 1)
    if not isinstance(file, str) or isinstance(line, bool) or not isinstance(line, int) or not 0 < line < 1 << 31:
        raise BadQueryError("'file' is a path, and 'line' is a number")
    open_file(hands.service, file, line)
    return {"opened": True}


ACTIONS: Final[Mapping[str, Action]] = {"open": open_in_editor, "repro": start_run, "stop": stop_run}
"""By their names, which are paths below ``/api/``."""
