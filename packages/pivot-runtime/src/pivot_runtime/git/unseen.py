"""The branches and tags of git remotes that this clone has not fetched, so that their lock files are unseen."""

import os
import pathlib
import subprocess
from typing import Final

import attrs

from pivot_core.errors import list_names
from pivot_core.values import Value
from pivot_runtime.git import calls

_PATIENCE_S: Final = 60
_MOST: Final = 5


@attrs.frozen(eq=False, repr=False)
class Unseen(Value):
    """Reasons why lock files of others may be unknown here; empty if there are none.

    Attributes:
        reasons: Sentences.
        hint: How to change that.
    """

    reasons: tuple[str, ...] = ()
    hint: str = ""


def unseen(root: pathlib.Path) -> Unseen:
    """Ask every git remote for its branches and tags, and compare them with those of a project's repository."""
    if not calls.is_in_repository(root):
        return Unseen(
            ("the project is not in a git repository, so no other branch is known",), "git init, and a remote"
        )
    names = _lines(root, "remote")
    if not names:
        return Unseen(("the git repository has no remote, so lock files of others are unknown",), "git remote add")
    tips = set(" ".join(_lines(root, "for-each-ref", "--format=%(objectname)") or ()).split())
    reasons = []
    for name in names:
        listed = _listed(root, name)
        if listed is None:
            reasons.append(f"the git remote {name!r} does not answer")
            continue
        lacking = [ref.split("/", 2)[2] for oid, ref in listed if oid not in tips]
        if lacking:
            reasons.append(f"of the git remote {name!r}, these are not fetched: {list_names(lacking, _MOST)}")
    return Unseen(tuple(reasons), "git fetch --all --tags" if reasons else "")


def _lines(root: pathlib.Path, *arguments: str) -> list[str]:
    try:
        return os.fsdecode(calls.run(root, *arguments).stdout).splitlines()
    except OSError:
        return []


def _listed(root: pathlib.Path, name: str) -> list[tuple[str, str]] | None:
    """The commits and names of the branches and tags of a remote; None without an answer in time."""
    try:
        with calls.start(root, "ls-remote", "--heads", "--tags", "--", name, stderr=subprocess.DEVNULL) as asking:
            try:
                answer, _ = asking.communicate(timeout=_PATIENCE_S)
            except subprocess.TimeoutExpired:
                asking.kill()
                return None
    except OSError:
        return None
    if asking.returncode != 0:
        return None
    pairs = [line.split("\t", 1) for line in os.fsdecode(answer).splitlines() if "\t" in line]
    return [(oid, ref) for oid, ref in pairs if not ref.endswith("^{}")]
