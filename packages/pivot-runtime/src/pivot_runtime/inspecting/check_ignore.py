"""`pivot check-ignore`: the patterns of `.pivotignore`, and of git on request, that ignore paths."""

import os
from collections.abc import Iterable

import attrs

from pivot_core.files.paths import parent_names
from pivot_core.values import Value
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import TargetError
from pivot_runtime.git import repository
from pivot_runtime.project import ignore


@attrs.frozen(eq=False, repr=False)
class IgnoreCheck(Value):
    """The pattern that decides about one path.

    Attributes:
        path: The path as it was given.
        ignored: Whether it is ignored.
        source: The file with the pattern, relative to the root; empty if no pattern matches.
        line: Its line.
        pattern: Its text.
    """

    path: str
    ignored: bool = False
    source: str = ""
    line: int = 0
    pattern: str = ""


def check_ignore(context: CommandContext, paths: Iterable[str], *, with_git: bool = False) -> list[IgnoreCheck]:
    """Find the pattern that decides about each path; with ``with_git``, also those of git, which count after Pivot's.

    Paths need not exist.

    Raises:
        TargetError: A path is outside the project.
        EngineError: `.pivotignore` cannot be read, or one of its lines is not a pattern.
        GitSilentError: Git does not answer.
    """
    project = context.project
    find = ignore.rules(project.layout.ignore_file)
    done = []
    for given in paths:
        path = _inside(context, given)
        rule = find(f"{path}/" if os.path.isdir(project.root / path) else path)
        if rule is None or not rule[2]:  # what is in an ignored directory cannot be included
            around = (find(f"{each}/") for each in parent_names(path))
            rule = next((each for each in around if each is not None and each[2]), rule)
        found = IgnoreCheck(given)
        if rule is not None:
            line, pattern, ignores = rule
            found = IgnoreCheck(given, ignores, project.layout.ignore_file.name, line, pattern)
        if with_git and not found.ignored:
            for other in repository.ignored(project.root, [path]):
                found = IgnoreCheck(given, ignored=True, source=other.source, line=other.line, pattern=other.pattern)
        done.append(found)
    return done


def _inside(context: CommandContext, given: str) -> str:
    project = context.project
    path = os.path.relpath(os.path.normpath(project.cwd / given), project.root)
    if path == os.curdir or path.split(os.sep)[0] == os.pardir:
        raise TargetError(f"{given!r} is not a path in the project", hint="name paths in the project")
    return path
