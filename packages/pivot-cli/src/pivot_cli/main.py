"""The entry point: dispatches to commands that are imported only when they are called."""

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 yes, 1 no, 2 wrong usage, 3 could not tell, 130 interrupted."""
    _open_standard_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:  # the one question that needs no parser, asked by scripts and editors
        from pivot_cli.version import version_line  # noqa: PLC0415  # start-up time

        sys.stdout.write(f"{version_line()}\n")
        return
    from pivot_cli.group import run  # noqa: PLC0415  # start-up time: click

    code = run(given)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as in `pivot status | head -1`; keep the interpreter from flushing again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _open_standard_streams() -> None:
    """Let what is closed, as some schedulers do, be the null device: else the next file opened would take its place."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it takes the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
