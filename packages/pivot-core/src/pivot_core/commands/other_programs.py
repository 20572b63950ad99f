"""The programs in a text for bash that are not followed as Python programs, the files that they may read, and more.

The rest: the directories that the text only enters.
"""

import posixpath
from collections.abc import Collection, Iterable
from typing import Final

from pivot_core.commands.python_programs import ProgramCall, StartedProgram

_READS_NOTHING: Final = frozenset(
    {
        *(":", "[", "[[", "alias", "break", "chmod", "continue", "echo", "exit", "false", "hash", "kill", "let"),
        *("mkdir", "popd", "printf", "pwd", "read", "return", "rm", "rmdir", "set", "shift", "shopt", "sleep"),
        *("sync", "test", "touch", "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "wait"),
    }
)
"""Commands whose result does not depend on the content of any file."""


def other_programs(started: Iterable[StartedProgram], followed: Collection[ProgramCall]) -> list[str]:
    """The programs that a text starts beside the Python programs that are ``followed``, as it names them, each once."""
    found: dict[str, None] = {}
    for command, calls in started:
        first = command.words[0].text
        open_calls = [call for call in calls if call not in followed]
        if any(call.kind == "task" and call in followed for call in calls) or (calls and not open_calls):
            continue
        module = next((call for call in open_calls if call.kind == "module" and call.known), None)
        if module is not None:
            found[f"{posixpath.basename(module.interpreter or 'python')} -m {module.name}"] = None
        elif posixpath.basename(first) not in _READS_NOTHING:
            found[first] = None
    return list(found)


def entered_only(started: Iterable[StartedProgram]) -> frozenset[str]:
    """The directories that the commands run in or search for modules, and that they do not name as arguments."""
    entered: set[str | None] = set()
    named: set[str | None] = set()
    chosen: set[str | None] = set()
    for command, calls in started:
        entered.add(command.directory)
        path = command.variables.get("PYTHONPATH") or ""
        entered |= {_in(command.directory, each) for each in path.split(":") if "$" not in each}
        chosen |= {call.directory for call in calls} - {command.directory}
        given = [word.text for word in command.words[1:] if word.known]
        parts = {part for text in given for part in (text, *text.split("="))}
        words = {_in(command.directory, part) for part in parts if not part.startswith("-")}
        if posixpath.basename(command.words[0].text) in _READS_NOTHING:
            entered |= words
        else:
            named |= words
    return frozenset(posixpath.normpath(each) for each in (entered - named) | chosen if each)


def given_files(started: Iterable[StartedProgram]) -> frozenset[str]:
    """The paths that commands get as arguments, other than as the Python programs that they start."""
    found: set[str | None] = set()
    for command, calls in started:
        first, left = command.words[0].text, [word.text for word in command.words[1:] if word.known]
        for program in {call.word for call in calls} - {first}:
            if program in left:
                left.remove(program)
        if command.stdin_file is not None and command.stdin_file.text not in {call.word for call in calls}:
            left.append(command.stdin_file.text)
        if first != "eval" and posixpath.basename(first) not in _READS_NOTHING:
            found |= {_in(command.directory, part) for text in left for part in (text, *text.split("="))}
    return frozenset(each for each in found if each)


def _in(directory: str | None, path: str) -> str | None:
    if not path or directory is None:
        return None
    return posixpath.normpath(posixpath.join(directory, path))
