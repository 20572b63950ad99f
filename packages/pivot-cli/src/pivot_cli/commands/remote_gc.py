"""The steps of `pivot remote gc`: plans, asks, deletes, and prints the result."""

import json
import sys

from pivot_cli import signals
from pivot_cli.context import command_context
from pivot_cli.reporting.notices import note_stalls
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console, formats, questions
from pivot_runtime.sharing.gc import RemoteGcOptions, RemoteGcReport, RemotePlan, gc


def collect(  # noqa: PLR0913  # one parameter per option
    *,
    remote: str | None,
    dry_run: bool,
    yes: bool,
    grace_ns: int | None,
    force: bool,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Collect; return the exit code."""
    refused: list[str] = []

    def agree(name: str, planned: RemotePlan) -> bool:
        if yes:
            return True
        console.text(_plan(name, planned))
        agreed = questions.confirm(f"Delete {_deleted(planned)} of {name!r} for everyone?")
        if not agreed:
            refused.append(name)
        return agreed

    if sys.stderr.isatty():
        console.passing_note("asking git about the branches of others, and the remote about its objects")
    with signals.raise_on_termination(), note_stalls():
        done = gc(command_context(), RemoteGcOptions(remote, jobs, grace_ns, force, dry_run), agree, report=RunLines())
    if refused:
        console.note("nothing was deleted")
        return 1
    return _report(done, dry_run=dry_run, as_json=as_json)


def _report(found: RemoteGcReport, *, dry_run: bool, as_json: bool) -> int:
    planned, done = found.planned, found.done
    failed = {} if done is None else done.failed
    for line in formats.first_ten([f"object {digest} was not deleted: {error}" for digest, error in failed.items()]):
        console.error(line)
    if as_json:
        plain = {
            "remote": found.remote,
            "dry_run": dry_run,
            "objects": [{"digest": digest, "size": size} for digest, size in sorted(planned.delete.items())],
            "needed": planned.needed,
            "young": planned.young,
            "deleted": 0 if done is None else len(done.deleted),
            "failed": [{"digest": digest, "problem": str(error)} for digest, error in failed.items()],
        }
        console.data(json.dumps(plain, indent=2))
    elif done is None or not planned.delete:
        console.data(_plan(found.remote, planned))
    else:
        console.data(f"Deleted {formats.counted(len(done.deleted), 'object')} of {found.remote!r}")
    return max((error.exit_code for error in failed.values()), default=0)


def _plan(name: str, planned: RemotePlan) -> str:
    what = f"Would delete {_deleted(planned)} of {name!r}" if planned.delete else f"Nothing to delete of {name!r}"
    return f"{what}; {planned.needed} needed, {planned.young} too young"


def _deleted(planned: RemotePlan) -> str:
    return f"{formats.counted(len(planned.delete), 'object')} ({formats.size(planned.size)})"
