"""The commit that is checked out, and whether files differ from it."""

import pathlib

import attrs

from pivot_core.values import Value
from pivot_runtime.git import calls


@attrs.frozen(eq=False, repr=False)
class GitHead(Value):
    """The state of a checkout.

    Attributes:
        commit: The commit.
        branch: The branch; "" if none is checked out.
        dirty: Whether files that git tracks, of the whole repository, differ from the commit.
    """

    commit: str
    branch: str
    dirty: bool


def head(root: pathlib.Path) -> GitHead | None:
    """Return the state of the checkout around a project; None without a repository, git, or any commit."""
    if not calls.is_in_repository(root):
        return None
    try:
        done = calls.run(root, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    except OSError:
        return None
    if done.returncode:
        return None
    lines = done.stdout.decode("utf-8", "surrogateescape").splitlines()
    words = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    commit, branch = words.get("branch.oid", "(initial)"), words.get("branch.head", "(detached)")
    if commit == "(initial)":
        return None
    dirty = any(not line.startswith("# ") for line in lines)
    return GitHead(commit, "" if branch == "(detached)" else branch, dirty)
