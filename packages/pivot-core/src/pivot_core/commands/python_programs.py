"""The Python programs that a text for bash starts: scripts, modules, texts and console scripts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from pivot_core.commands.shell_text import SHELLS, SimpleCommand, Word, commands_within, joined, simple_commands

_PYTHON: Final = re.compile(r"(?:python|pypy)[\d.]*[a-z]{0,3}(?:\.exe)?")
_SHORT: Final = re.compile(r"-(?!-)[bBdEhiIOPqsSuvVxtR]*(?P<last>[cmWX]?)(?P<rest>.*)", re.DOTALL)
_WRAPPERS: Final = frozenset(
    {
        *("env", "nohup", "nice", "time", "exec", "command", "builtin", "stdbuf", "timeout", "sudo", "xargs", "setsid"),
        *("ionice", "taskset", "numactl", "mpirun", "mpiexec", "srun", "flock", "chrt", "unbuffer", "strace", "perf"),
        *("caffeinate", "torchx", "catchsegv", "xvfb-run", "parallel", "py-spy", "memray", "fil-profile", "hyperfine"),
        *("valgrind", "gdb", "ltrace", "doas", "chronic", "find"),
    }
)
"""Programs that start another one, whose name is among their arguments."""

_LAUNCHERS: Final = frozenset(
    {
        *("torchrun", "accelerate", "deepspeed", "coverage", "kernprof", "scalene", "viztracer", "pyinstrument"),
        *("ipython", "streamlit", "mprof", "horovodrun", "pudb", "debugpy", "bokeh", "panel"),
    }
)
"""Programs in Python that run a script, or a module after ``-m``, among their arguments."""
_LAUNCHING: Final = frozenset(
    {
        *("torch.distributed.run", "torch.distributed.launch", "accelerate.commands.launch", "coverage", "cProfile"),
        *("profile", "pdb", "trace", "scalene", "kernprof", "line_profiler", "memory_profiler", "debugpy", "viztracer"),
        *("pyinstrument", "memray", "ipdb", "pudb", "IPython", "streamlit", "torch.utils.bottleneck", "deepspeed"),
        *("mpi4py", "mpi4py.futures", "torch.utils.collect_env", "runpy", "fil_profile", "deepspeed.launcher.launch"),
    }
)
"""The same as modules."""
_RUNNERS: Final[Mapping[str, frozenset[str]]] = {
    "uv": frozenset(
        {
            *("--with", "--with-editable", "--with-requirements", "--python", "-p", "--extra", "--no-extra", "--group"),
            *(
                "--no-group",
                "--only-group",
                "--package",
                "--env-file",
                "--directory",
                "--project",
                "--index",
                "--color",
            ),
            *("--default-index", "--index-url", "-i", "--extra-index-url", "--find-links", "-f", "--config-file"),
            *(
                "--cache-dir",
                "--link-mode",
                "--resolution",
                "--prerelease",
                "--index-strategy",
                "--exclude-newer",
                "-w",
            ),
            *("--config-setting", "-C", "--upgrade-package", "-P", "--reinstall-package", "--refresh-package"),
        }
    ),
    "poetry": frozenset({"-C", "--directory", "-P", "--project"}),
    "pdm": frozenset({"-p", "--project", "--venv", "-c", "--config"}),
    "pipenv": frozenset({"--python"}),
    "rye": frozenset({"--pyproject"}),
    "hatch": frozenset({"-e", "--env", "-p", "--project"}),
    "pixi": frozenset({"-e", "--environment", "--manifest-path", "--color"}),
    **dict.fromkeys(
        ("conda", "mamba", "micromamba"), frozenset({"-n", "--name", "-p", "--prefix", "--cwd", "-r", "--root-prefix"})
    ),
}
"""Programs with a command ``run`` that starts another one in an environment, with their options that have a value."""
_PROGRAM_OPTIONS: Final[Mapping[str, Literal["script", "module"]]] = {
    **dict.fromkeys(("-m", "--module"), "module"),
    **dict.fromkeys(("-s", "--script", "--gui-script"), "script"),
}
"""The options of `uv run` that name the program."""
_TASK_RUNNERS: Final = frozenset({"pdm", "pixi", "rye", "hatch"})
"""Those among them that run the tasks which a project declares."""
_TASK_PROGRAMS: Final[Mapping[str, frozenset[str]]] = {
    "poe": frozenset({"-C", "--directory", "-e", "--executor", "-X", "--executor-opt"}),
    "task": frozenset(),
}
"""Programs that run such tasks and nothing else, with their options that have a value."""
_DIRECTORY_OPTIONS: Final = ("--directory", "--cwd")
_NO_PROGRAM: Final = frozenset({"-V", "--version", "-h", "--help", "--help-all", "--help-env", "--help-xoptions"})


_STARTING: Final = frozenset({*_RUNNERS, *_WRAPPERS, *_LAUNCHERS, *SHELLS})
"""Programs in whose arguments another one may be."""
_FINDING: Final = ("-exec", "-execdir", "-ok", "-okdir")
_ENV_OPTION: Final = re.compile(
    r"(?:(?P<text>-[a-zA-Z]*S|--split-string(?:=|$))|-[a-zA-Z]*C|--chdir(?:=|$))(?P<value>.*)", re.DOTALL
)
"""The options of `env` for a text with more words, and for the working directory."""


class ProgramCall(NamedTuple):
    """A start of a Python program.

    Attributes:
        kind: A script or a module by name, a text, a command that may be a console script, or a task of the project.
        name: The path of the script, the name of the module, the text, or the name of the command or task.
        word: The word of the text that names it.
        directory: Its working directory, relative to that of the text; None if the text does not say it.
        python_path: The value of `PYTHONPATH` that the text sets, still with variables; None if it sets none.
        interpreter: The path or name of its interpreter; ``""`` if that follows from the script or the environment.
        beside: Whether the directory of the script, or the working directory, is searched for modules.
        environment: Whether the environment counts: ``PYTHONPATH``.
        known: Whether the text says which program it is.
        runner: The program that chooses the interpreter or runs the task, such as ``uv``; ``""`` for none.
    """

    kind: Literal["script", "module", "text", "command", "task"]
    name: str
    word: str
    directory: str | None
    python_path: str | None = None
    interpreter: str = ""
    beside: bool = True
    environment: bool = True
    known: bool = True
    runner: str = ""


class StartedProgram(NamedTuple):
    """A simple command, and the Python programs that it starts.

    Attributes:
        command: The command.
        calls: The starts of Python programs, and of those that may be.
    """

    command: SimpleCommand
    calls: tuple[ProgramCall, ...]


def python_programs(text: str) -> list[ProgramCall]:
    """The Python programs that a text starts, in order, each once."""
    return list(dict.fromkeys(call for each in started_programs(text) for call in each.calls))


def started_programs(text: str) -> list[StartedProgram]:
    """The simple commands of a text, in order, with the Python programs that they start."""
    found = []
    activated = ""
    for each in simple_commands(text):
        name = each.words[0].text
        if name in ("source", ".") and len(each.words) > 1 and each.words[1].text.endswith("/bin/activate"):
            activated = joined(each.directory, f"{each.words[1].text.removesuffix('activate')}python") or ""
            continue
        calls = [
            call._replace(interpreter=activated)
            if activated and call.interpreter in ("", "python", "python3")
            else call
            for call in _of_command(each, each.words)
        ]
        found.append(StartedProgram(each, tuple(calls)))
    return found


def _of_command(command: SimpleCommand, words: Sequence[Word]) -> Iterator[ProgramCall]:
    """The programs that some words start."""
    first = words[0].text
    name = first.rpartition("/")[2]
    if _PYTHON.fullmatch(name):
        yield from _of_interpreter(command, first, words[1:])
    elif name in _RUNNERS:
        yield from _of_runner(command, name, words[1:])
    elif name in SHELLS and len(words) < len(command.words):  # otherwise its text has been read
        yield from (call for each in commands_within(command, words) for call in _of_command(each, each.words))
    elif name in _WRAPPERS:
        yield from _of_wrapper(command, name, words[1:])
    elif name in _LAUNCHERS:
        yield from _launched(command, "", words[1:])
    elif name in _TASK_PROGRAMS:
        yield from _of_task_program(command, name, words[1:])
        if "/" in first:  # which may be a script of the project
            yield _call(command, "script", words[0])
    elif words[0].known and (first.endswith(".py") or "/" in first):
        yield _call(command, "script", words[0])
    elif words[0].known and re.fullmatch(r"[A-Za-z_][\w.-]*", first):
        yield _call(command, "command", words[0])


def _call(
    command: SimpleCommand, kind: Literal["script", "module", "text", "command", "task"], word: Word
) -> ProgramCall:
    path = command.variables.get("PYTHONPATH")
    return ProgramCall(kind, word.text, word.text, command.directory, path, known=word.known)


def _of_wrapper(command: SimpleCommand, wrapper: str, words: Sequence[Word]) -> Iterator[ProgramCall]:
    """The program among the arguments of another one: the first word that looks like one."""
    variables = dict(command.variables)
    rest = [*words]
    if wrapper == "find":
        rest = rest[next((at for at, word in enumerate(rest) if word.text in _FINDING), len(rest)) :]
    while rest:
        word = rest[0]
        name = word.text.rpartition("/")[2]
        if word.text.startswith("PYTHONPATH="):
            variables["PYTHONPATH"] = word.text.partition("=")[2]
        if wrapper == "env" and (match := _ENV_OPTION.fullmatch(word.text)) is not None:
            given = match["value"] or (rest.pop(1).text if len(rest) > 1 else "")
            if match["text"]:
                rest[1:1] = [Word(each, known="$" not in each) for each in given.split()]
            else:
                command = command._replace(directory=joined(command.directory, given))
        elif word.text.endswith(".py") or name in _STARTING or _PYTHON.fullmatch(name):
            yield from _of_command(command._replace(variables=variables), rest)
            return
        del rest[0]


class _Options(NamedTuple):
    """The options of an interpreter, and the words after them."""

    rest: list[Word]
    last: str = ""  # `c` or `m`, which ends the options
    value: Word | None = None
    beside: bool = True
    environment: bool = True
    ends: bool = False  # it only says something about itself


def _options(words: Sequence[Word]) -> _Options:
    found = _Options(list(words))
    rest = found.rest
    while rest and rest[0].text.startswith("-") and rest[0].text != "-":
        word = rest.pop(0)
        text = word.text
        if text in _NO_PROGRAM:
            return found._replace(ends=True)
        match = _SHORT.fullmatch(text)
        if match is None:
            del rest[: text == "--check-hash-based-pycs"]
            continue
        flags = set(text[1 : match.start("last")])
        found = found._replace(
            beside=found.beside and not {"I", "P"} & flags, environment=found.environment and not {"I", "E"} & flags
        )
        if match["last"]:
            value = Word(match["rest"], word.known) if match["rest"] else rest.pop(0) if rest else None
            if match["last"] in "cm":
                return found._replace(last=match["last"], value=value, ends=value is None)
    return found


def _of_interpreter(command: SimpleCommand, interpreter: str, words: Sequence[Word]) -> Iterator[ProgramCall]:
    """The program of an interpreter with these arguments."""
    options = _options(words)
    word = options.value or (options.rest[0] if options.rest else Word("-"))
    if options.ends:
        return
    if options.last == "m" and word.text in _LAUNCHING:
        yield from _launched(command, interpreter, options.rest)
        return
    call = _call(command, "text" if options.last == "c" else "module" if options.last else "script", word)
    if not options.last and word.text == "-":
        if command.stdin_file is not None:
            call = _call(command, "script", command.stdin_file)
        elif command.stdin is not None:
            call = call._replace(kind="text", name=command.stdin)
        else:
            return
    yield call._replace(interpreter=interpreter, beside=options.beside, environment=options.environment)


def _of_runner(command: SimpleCommand, runner: str, words: Sequence[Word]) -> Iterator[ProgramCall]:
    """The program that a runner of an environment starts with these arguments."""
    rest = list(words)
    has_run = False
    while rest and (rest[0].text.startswith("-") or not has_run) and rest[0].text != "-":
        word = rest.pop(0)
        option, _, value = word.text.partition("=")
        if not option.startswith("-"):
            if option != "run":
                return
            has_run = True
            continue
        given = Word(value, word.known) if value else rest[0] if rest else Word("", known=False)
        if runner == "uv" and option in _PROGRAM_OPTIONS and has_run:
            yield _call(command, _PROGRAM_OPTIONS[option], given)._replace(runner=runner)
            return
        if option in _DIRECTORY_OPTIONS:
            command = command._replace(directory=joined(command.directory, given.text) if given.known else None)
        if option in _RUNNERS[runner] and not value:
            del rest[:1]
    if rest and runner == "hatch":  # `hatch run ENVIRONMENT:COMMAND`
        rest[0] = rest[0]._replace(text=rest[0].text.partition(":")[2] or rest[0].text)
    if not rest:
        return
    started = list(_of_interpreter(command, "", rest) if rest[0].text == "-" else _of_command(command, rest))
    if runner in _TASK_RUNNERS and rest[0].known and all(call.kind == "command" for call in started):
        started = [_call(command, "task", rest[0])]
    yield from (call._replace(runner=call.runner or runner) for call in started)


def _of_task_program(command: SimpleCommand, runner: str, words: Sequence[Word]) -> Iterator[ProgramCall]:
    """The task that a program for tasks runs with these arguments."""
    rest = list(words)
    while rest and rest[0].text.startswith("-"):
        option, _, value = rest.pop(0).text.partition("=")
        if option in _TASK_PROGRAMS[runner] and not value:
            value = rest.pop(0).text if rest else ""
        if option in ("-C", *_DIRECTORY_OPTIONS):
            command = command._replace(directory=joined(command.directory, value))
    if rest and rest[0].known:
        yield _call(command, "task", rest[0])._replace(runner=runner)


def _launched(command: SimpleCommand, interpreter: str, words: Sequence[Word]) -> Iterator[ProgramCall]:
    """The script or module among the arguments of a program that runs it."""
    for at, word in enumerate(words):
        if word.text in ("-m", "--module") and at + 1 < len(words):
            yield _call(command, "module", words[at + 1])._replace(interpreter=interpreter)
            return
        if word.text.endswith(".py") and not word.text.startswith("-"):
            yield _call(command, "script", word)._replace(interpreter=interpreter)
            return
