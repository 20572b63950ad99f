"""The entry point: dispatches to commands that are imported only when they are called."""

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from pivot_cli.app import Beginning
    from pivot_runtime.processes.early_fork import EarlyFork

_INTERRUPTED = 130
_COMPLETE = "_PIVOT_COMPLETE"
"""The environment variable through which a shell requests completions."""
_OFTEN_THE_SAME = ("repro", "status")
"""The commands whose output may be cached."""
_IMPORTING = ("repro", "run", "status")
"""The commands that import a pipeline if it was edited, and are used most."""
_WITHOUT_HOST = frozenset({"--in-process", "--pdb", "-w", "--watch"})
"""The options with which they need no host, or only hosts that outlive a run."""
_WITHOUT_EDITS = frozenset({"-f", "--force", "--no-snapshot", "-a", "--all"})
"""The options with which they probably need one though nothing was edited."""
_REQUESTS_FOR_HELP = ("-h", "--help")
_HELP = "help"
"""The command that prints the help of another one."""
_STARTED_AT = 19
"""The index of the start among the fields of a process after its name, in ticks since the machine's start."""
_IN_PROCESS = "pivot_runtime.executors.in_process"
"""The module that runs stages in this process, whose objects then end with the interpreter."""
_TOOL_IDS = 6
"""The number of tools that `sys.monitoring` supports."""
_OBJECTS_TO_COLLECT = 100_000
"""The new objects after which the garbage collector looks for unreachable ones."""
_LONGEST_START_NS = 1_000_000_000
"""A process that is older when Python begins was another program before, such as a shell that called `exec`."""


def main(arguments: "Sequence[str] | None" = None) -> None:
    """Run the command line and exit with 0 (yes), 1 (no), 2 (wrong usage), 3 (unknown) or 130 (interrupted)."""
    began = time.monotonic_ns()
    if arguments is None:  # otherwise it is another program's process
        began = _start_of_process(began)
    if arguments is None and sys.getfilesystemencoding() != "utf-8":
        _begin_again_in_utf8()
    _open_standard_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if _COMPLETE in os.environ:
            from pivot_cli.completion import answer  # lazy

            code = answer(os.environ[_COMPLETE])
        elif (text := _text_without_parsing(given)) is not None:
            sys.stdout.write(text)
            code = 0
        elif arguments is None and (known := _print_cached_answer(given, began)) is not None:
            code = known
        else:
            code = _run(given, began, own_process=arguments is None)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except BrokenPipeError:
        _forget_output()  # the reader has gone, as in `pivot status | head -1`
        code = 0
    except OSError as error:
        _forget_output()
        sys.stderr.write(f"error: cannot write the output: {error.strerror}\n")
        code = 3
    if arguments is None:
        _end(code)
    sys.exit(code)


def _run(given: "list[str]", began: int, *, own_process: bool) -> int:
    """Run a command; return its exit code."""
    if not own_process:
        from pivot_cli.app import run  # lazy

        return run(given, None, began / 1e9)
    beginning = _initial_state()
    _await_children()
    _collect_seldom()
    early_fork = _fork_early(given, beginning)
    try:
        from pivot_cli.app import run  # lazy

        code = run(given, beginning, began / 1e9, early_fork)
    finally:
        if early_fork is not None:
            early_fork.close()
    return code


def _fork_early(given: "Sequence[str]", beginning: "Beginning") -> "EarlyFork | None":
    """Fork a process for the user's code if this command will probably need one, since nothing cached answered it."""
    if not given or given[0] not in _IMPORTING or not _needs_host(given):
        return None
    from pivot_runtime.processes.early_fork import EarlyFork  # lazy
    from pivot_runtime.processes.startup_state import StartupState  # lazy

    return EarlyFork.begin(StartupState(*beginning))


def _needs_host(given: "Sequence[str]") -> bool:
    """Return whether a command probably imports a pipeline in a host of its own, and no warm process waits for that."""
    options = {*given, *(f"-{letter}" for word in given if word[:1] == "-" != word[1:2] for letter in word[1:])}
    if not _WITHOUT_HOST.isdisjoint(options):
        return False
    import pathlib  # lazy

    from pivot_core.errors import PivotError  # lazy
    from pivot_runtime.loading import snapshot  # lazy
    from pivot_runtime.project.project import Project  # lazy

    try:
        project = Project.find(pathlib.Path.cwd())
        if project.layout.warm_socket_file.exists():
            return False
        return not _WITHOUT_EDITS.isdisjoint(options) or not snapshot.holds(project, os.environ)
    except (PivotError, OSError):  # the command reports it
        return False


def _start_of_process(now: int) -> int:
    """Return when the system started this process, by the monotonic clock; ``now`` where that is unknown."""
    try:
        fd = os.open("/proc/self/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            fields = os.read(fd, 4096).rpartition(b")")[2].split()
        finally:
            os.close(fd)
        tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        started = int(fields[_STARTED_AT]) * tick + tick // 2  # it is rounded down
        age = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return now
    return now - age if 0 <= age <= _LONGEST_START_NS else now


def _begin_again_in_utf8() -> None:
    """Restart in UTF-8 mode, since names in lock files mean the same bytes in every locale; the user can forbid it."""
    if sys.executable and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # this very command


def _initial_state() -> "Beginning":
    """Return the imported modules that are not Pivot's, and what a new interpreter begins with."""
    import gc  # lazy

    others = frozenset(name for name in sys.modules if not name.startswith("pivot_cli"))
    return others, tuple(sys.path if sys.flags.safe_path else sys.path[1:]), gc.get_threshold()


def _text_without_parsing(given: "Sequence[str]") -> str | None:
    """Return the version or a help text; these need no parser, whose import would take most of the time."""
    if given in (["--version"], ["-V"]):
        from pivot_cli.version import version_line  # lazy

        return f"{version_line()}\n"
    if given and given[-1] in _REQUESTS_FOR_HELP:
        from pivot_cli import help_texts  # lazy

        return help_texts.find(given)
    if given and given[0] == _HELP:
        from pivot_cli import help_texts  # lazy

        return help_texts.find([*given[1:], _REQUESTS_FOR_HELP[0]])
    return None


def _print_cached_answer(given: "Sequence[str]", began: int) -> int | None:
    """Print the cached output of this command if nothing has changed since; return None if there is none."""
    if not given or given[0] not in _OFTEN_THE_SAME:
        return None
    from pivot_runtime.freshness import noop_cache  # lazy

    answer = noop_cache.find(given, os.environ, began, git_tracks)
    if answer is None:
        return None
    sys.stderr.write(answer.err)
    sys.stdout.write(answer.out)
    return answer.code


def git_tracks(root: str, paths: "Sequence[str]") -> bool:
    """Whether git tracks any of these paths of a project, as far as it is known: yes without an answer of git."""
    import pathlib  # lazy

    from pivot_runtime.git import index  # lazy

    found = index.tracked(pathlib.Path(root), paths)
    return found is None or bool(found)


def _open_standard_streams() -> None:
    """Open the closed standard streams, so that no file gets their numbers, and let them encode any text."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004
        os.set_inheritable(fd, True)
    os.close(fd)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a test may have installed another stream
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _await_children() -> None:
    """Let this process learn how its children end, even if the program that started it ignored the ends of its own."""
    import signal  # lazy

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _collect_seldom() -> None:
    """Keep the garbage collector from traversing what is imported, which stays."""
    import gc  # lazy

    gc.set_threshold(_OBJECTS_TO_COLLECT)


def _is_observed() -> bool:
    """Whether a profiler, a debugger or user code in this process waits for the end of the interpreter."""
    tools = (sys.monitoring.get_tool(tool) for tool in range(_TOOL_IDS))
    return (
        sys.flags.interactive != 0
        or sys.getprofile() is not None
        or sys.gettrace() is not None
        or any(tool is not None for tool in tools)
        or _IN_PROCESS in sys.modules
    )


def _end(code: int) -> "NoReturn":
    """End this process as an interpreter does, if possible without destroying all objects, which takes time."""
    if not _is_observed():
        try:
            _run_exit_functions()
        finally:
            os._exit(code)
    if _IN_PROCESS in sys.modules and not sys.flags.interactive:
        import signal  # lazy

        try:
            _run_exit_functions()
        except KeyboardInterrupt:
            code = _INTERRUPTED
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it would replace the exit code, and the end is near
    sys.exit(code)


def _run_exit_functions() -> None:
    """Wait for threads, and call what is registered for the end, as multiprocessing does."""
    for module, name in (("threading", "_shutdown"), ("atexit", "_run_exitfuncs")):
        if module in sys.modules:
            getattr(sys.modules[module], name)()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _forget_output() -> None:
    """Keep the interpreter from flushing the output again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
