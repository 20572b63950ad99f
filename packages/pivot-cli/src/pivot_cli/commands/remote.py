"""`pivot remote`."""

import json
from typing import Final

import click

from pivot_cli import options
from pivot_cli.app import SuggestingGroup
from pivot_cli.context import config_store
from pivot_cli.terminal import console
from pivot_cli.views import config
from pivot_runtime.config import remotes
from pivot_runtime.config.store import config_warnings

_EXAMPLES: Final = """\b
Examples:
  pivot remote add origin s3://my-bucket/pivot  Add a remote.
  pivot remote add team file:///mnt/team/cache  Add one on a shared drive.
  pivot remote list                             Show all remotes.
  pivot remote remove origin                    Remove it from the settings.
"""


@click.group("remote", cls=SuggestingGroup, epilog=_EXAMPLES)
def command() -> None:
    """Show and change the remotes that share outs.

    They are the settings remotes.<name> and default_remote of 'pivot config'.
    """


_LIST_EXAMPLES: Final = """\b
Examples:
  pivot remote list         Show all remotes.
  pivot remote list --json  Print them as JSON.
"""


@command.command("list", epilog=_LIST_EXAMPLES)
@options.as_json
def show(*, as_json: bool) -> None:
    """List the remotes, and the default one."""
    found = config_store().read()
    listed = remotes.list_remotes(found)
    if as_json:
        console.data(json.dumps({"remotes": [config.remote_json(remote) for remote in listed]}, indent=2))
    elif listed:
        console.data(config.remotes(listed))
    else:
        console.note("no remote is configured")
        console.hint("pivot remote add NAME s3://bucket/prefix")
    for concern in config_warnings(found):
        console.warning(concern)


_ADD_EXAMPLES: Final = """\b
Examples:
  pivot remote add origin s3://bucket/pivot  Add one on S3.
  pivot remote add team file:///mnt/team/x   Add a directory.
"""


@command.command("add", epilog=_ADD_EXAMPLES)
@click.argument("name")
@click.argument("url")
@click.option("--default", is_flag=True, help="Make it the default remote.")
@options.everywhere
def add(name: str, url: str, *, default: bool, user: bool) -> None:
    """Add the remote NAME at URL, s3://bucket/prefix.

    URLs with gs://, az://, ssh://, file:// and https:// (which is only read) need a package that the guide to remotes
    names.

    If there is only one remote, it is the default.
    """
    remotes.add(config_store(), name, url, default=default, user=user)
    console.line(f"Added {name}")
    _warn()


_REMOVE_EXAMPLES: Final = """\b
Examples:
  pivot remote remove origin  Forget it; its objects stay.
"""


@command.command("remove", epilog=_REMOVE_EXAMPLES)
@click.argument("name", shell_complete=options.complete_remotes)
@options.everywhere
def remove(name: str, *, user: bool) -> None:
    """Remove the remote NAME from the settings; its objects stay."""
    remotes.remove(config_store(), name, user=user)
    console.line(f"Removed {name}")
    _warn()


_RENAME_EXAMPLES: Final = """\b
Examples:
  pivot remote rename origin team  Give it another name.
"""


@command.command("rename", epilog=_RENAME_EXAMPLES)
@click.argument("old", shell_complete=options.complete_remotes)
@click.argument("new")
@options.everywhere
def rename(old: str, new: str, *, user: bool) -> None:
    """Rename the remote OLD to NEW."""
    remotes.rename(config_store(), old, new, user=user)
    console.line(f"Renamed {old} to {new}")
    _warn()


_GC_EXAMPLES: Final = """\b
Examples:
  pivot remote gc --dry-run         Show what would be deleted.
  pivot remote gc --grace 90d       Delete only what is older than 90 days.
"""


@command.command("gc", epilog=_GC_EXAMPLES)
@options.remote
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be deleted, but delete nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--grace",
    callback=options.age,
    metavar="AGE",
    help="Delete only objects that were uploaded longer ago than this.  [default: 30d]",
)
@click.option("-f", "--force", is_flag=True, help="Continue although lock files of others may be unseen.")
@options.transfers
@options.as_json
def gc(  # noqa: PLR0913  # one parameter per option
    *, remote: str | None, dry_run: bool, yes: bool, grace: int | None, force: bool, jobs: int | None, as_json: bool
) -> int:
    """Delete objects on a remote that nothing needs, for everyone.

    Objects stay if a lock file or a .pvt file in the workspace, or in any branch, tag, stash or worktree of this clone
    names them, and if they were uploaded in the last 30 days. The command lists what it would delete, and asks. It
    refuses if lock files of others may be unseen: if a branch or tag of a git remote is not fetched, or if there is no
    git remote. Deleted objects cannot be brought back. Other repositories that use the same remote are unknown here:
    give each its own URL. AGE is a number with s, m, h, d or w.
    """
    from pivot_cli.commands import remote_gc  # lazy

    if as_json and not (yes or dry_run):
        raise click.UsageError("--json goes with --yes or --dry-run")
    return remote_gc.collect(
        remote=remote, dry_run=dry_run, yes=yes, grace_ns=grace, force=force, jobs=jobs, as_json=as_json
    )


def _warn() -> None:
    for concern in config_warnings(config_store().read()):
        console.warning(concern)
