"""The branches, tags and last commits of a repository, from which people choose what to compare."""

import pathlib
from typing import Final

import attrs

from pivot_core.values import Value
from pivot_runtime.git import calls

_MOST_NAMES: Final = 200
_FIELDS: Final = "%H%x00%h%x00%ct%x00%s"


@attrs.frozen(eq=False, repr=False)
class ListedCommit(Value):
    """A commit as it is listed.

    Attributes:
        commit: Its id.
        short: As many digits of that as tell it apart.
        time: When it was committed, in seconds since the epoch.
        subject: The first line of its message.
    """

    commit: str
    short: str
    time: int
    subject: str


@attrs.frozen(eq=False, repr=False)
class RevisionList(Value):
    """The newest revisions of a repository.

    Attributes:
        branches: The names of branches, also of those of remotes, that with the newest commit first.
        tags: The names of tags, the newest first.
        commits: The last commits before and with HEAD, the newest first.
    """

    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    commits: tuple[ListedCommit, ...] = ()


def list_revisions(root: pathlib.Path, most: int) -> RevisionList:
    """The newest revisions of the repository around a directory, with at most ``most`` commits.

    There are none without a repository, without git, and before the first commit.
    """
    if not calls.is_in_repository(root):
        return RevisionList()
    return RevisionList(
        _names(root, "-committerdate", "refs/heads", "refs/remotes"),
        _names(root, "-creatordate", "refs/tags"),
        _commits(root, most),
    )


def _names(root: pathlib.Path, order: str, *kinds: str) -> tuple[str, ...]:
    form = "--format=%(symref)%00%(refname:short)"
    lines = _lines(root, "for-each-ref", form, f"--sort={order}", f"--count={_MOST_NAMES}", *kinds)
    fields = (line.partition("\0") for line in lines)
    return tuple(name for symref, _, name in fields if name and not symref)


def _commits(root: pathlib.Path, most: int) -> tuple[ListedCommit, ...]:
    shown = ("--no-show-signature", "--no-color", "--no-patch", f"--max-count={most}", f"--format={_FIELDS}")
    found = []
    for line in _lines(root, "log", *shown, "HEAD", "--"):
        commit, short, time, subject = line.split("\0", 3)
        found.append(ListedCommit(commit, short, int(time), subject))
    return tuple(found)


def _lines(root: pathlib.Path, *arguments: str) -> list[str]:
    """The lines that git prints; none if it fails."""
    try:
        done = calls.run(root, *arguments)
    except OSError:
        return []
    return [] if done.returncode else [line for line in done.stdout.decode(errors="replace").split("\n") if line]
