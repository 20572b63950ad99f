"""The code that the Python programs of a command reach: which of its words are programs, and their manifest."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, NamedTuple, Protocol

from pivot_core.code import PROGRAMS
from pivot_core.commands.other_programs import entered_only, given_files, other_programs
from pivot_core.commands.python_programs import ProgramCall, StartedProgram, started_programs
from pivot_core.commands.shell_text import SimpleCommand, Word
from pivot_core.commands.tasks import Task
from pivot_core.errors import PathError
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath, is_within
from pivot_fingerprint import Entry, Manifest, Memo, Program, ScriptFingerprinter, default_is_user_code
from pivot_runtime.programs.interpreters import Interpreters, python_path
from pivot_runtime.programs.project_files import DeclaredTask, ProjectFiles, text_of

_VERSION: Final = b"1"
_SHEBANG: Final = re.compile(rb"#![^\n]*\b(?:python|pypy|uv run)")
_HEAD: Final = 256


class ReadRecorder(Protocol):
    """Records what a load depends on; a `pivot_fingerprint.Listener`."""

    def read(self, path: str, content: bytes | None, /) -> object:
        """A file had this content, or None if it could not be read."""
        ...

    def searched(self, name: str, places: Sequence[str], /) -> object:
        """A module is about to be searched for."""
        ...

    def probed(self, path: str, /) -> object:
        """The existence of a path is about to be checked."""
        ...

    def called(self) -> AbstractContextManager[object]:
        """A context around calls of foreign code."""
        ...

    def paused(self) -> AbstractContextManager[object]:
        """A context in which nothing is recorded but the calls of these methods."""
        ...


class ProgramCode(NamedTuple):
    """The code of the Python programs of one command.

    Attributes:
        manifest: Its entries; with `PROGRAMS` if there is a program.
        scripts: The paths of the scripts, which its words name, other than those that other programs get, too.
        main: The key of the entry of each script's body, by its path.
        open: Descriptions of the programs that could not be followed.
        sources: The digest of each file that was read, by absolute path.
        others: The other programs that it starts, as its text names them.
        entered: The directories that its text only enters, or names as places of modules.
    """

    manifest: Manifest
    scripts: tuple[ArtifactPath, ...] = ()
    main: Mapping[str, str] = {}
    open: tuple[str, ...] = ()
    sources: Mapping[str, str] = {}
    others: tuple[str, ...] = ()
    entered: frozenset[str] = frozenset()


class _Reads:
    """Notes the files that were read, and passes all on to the recorder of the load."""

    def __init__(self, recorder: ReadRecorder | None) -> None:
        self.files: dict[str, str] = {}
        self._recorder = recorder

    def read(self, path: str, content: bytes | None) -> None:
        if content is not None:
            self.files[path] = digest_bytes(content)
        if self._recorder is not None:
            self._recorder.read(path, content)

    def searched(self, name: str, places: Sequence[str]) -> None:
        if self._recorder is not None:
            self._recorder.searched(name, places)

    def probed(self, path: str) -> None:
        if self._recorder is not None:
            self._recorder.probed(path)

    def called(self) -> AbstractContextManager[object]:
        return nullcontext() if self._recorder is None else self._recorder.called()

    def paused(self) -> AbstractContextManager[object]:
        return nullcontext() if self._recorder is None else self._recorder.paused()


class ProgramFinder:
    """Follows the Python programs of many commands; each file is read once.

    Args:
        root: The project's root.
        environment: The variables of the programs.
        memo: Keeps what is derived from files.
        recorder: Records what the code depends on.
    """

    def __init__(
        self, root: str, environment: Mapping[str, str], memo: Memo | None = None, recorder: ReadRecorder | None = None
    ) -> None:
        self._root = os.path.realpath(root)
        self._environment = environment
        self._reads = _Reads(recorder)
        self._memo = memo
        self._interpreters = Interpreters(self._root, environment, self._reads)
        self._files = ProjectFiles(self._reads)
        self._paths: dict[str, str] = {}
        self._fingerprinters: dict[frozenset[str], ScriptFingerprinter] = {}
        self._manifests: dict[tuple[tuple[Program, ...], frozenset[str]], tuple[Manifest, frozenset[str]]] = {}

    def code_of(
        self, texts: Iterable[str], base: str, *, declared: Collection[str], written: Collection[str], via: str
    ) -> ProgramCode:
        """The code that the programs of a command in the directory ``base`` reach.

        Args:
            texts: The texts for the shell, one after the other.
            base: Its directory, relative to the root.
            declared: The paths of its deps and outs, whose bytes count anyway.
            written: The outs of all stages. Code in those that the command reads or writes is not followed, since it
                may be another one by then.
            via: The key of the entry that the programs belong to.
        """
        started = [each for text in texts for each in started_programs(text)]
        if not any(each.calls for each in started):
            return ProgramCode(Manifest({}), others=tuple(other_programs(started, ())), entered=entered_only(started))
        with self._reads.paused():
            return self._code_of(started, base, declared, written, via)

    def _code_of(
        self,
        started: list[StartedProgram],
        base: str,
        declared: Collection[str],
        written: Collection[str],
        via: str,
    ) -> ProgramCode:
        entries: dict[str, Entry] = {}
        levels = list(self._levels(started, os.path.normpath(os.path.join(self._root, base)), entries, via))
        tasks = frozenset(entries)
        programs: dict[Program, ProgramCall] = {}
        scripts: dict[ArtifactPath, str] = {}
        read = {os.path.normpath(os.path.join(self._root, base, each)) for each in given_files(started)}
        left_open: list[str] = []
        for call, directory in dict.fromkeys(
            (call, level[1]) for level in levels for each in level[0] for call in each.calls
        ):
            if call.kind == "task" and f"task:{call.name}" in tasks:
                continue
            if call.directory is None or (not call.known and call.kind in ("script", "module")):
                if call.kind not in ("command", "task") and (call.interpreter or call.runner):
                    left_open.append(f"the Python program {call.word!r}, since its text does not say which one it is")
                continue
            found = self._program(call, os.path.normpath(os.path.join(directory, call.directory)), via)
            if found is None or (found.file is not None and self._written(declared, written, {found.file})):
                continue
            programs[found] = call
            if found.file is not None and found.file not in read:
                scripts[ArtifactPath(os.path.relpath(found.file, self._root))] = found.file
        entered = entered_only(started)
        if not programs and not entries:
            others = other_programs(started, ())
            return ProgramCode(Manifest({}), open=tuple(left_open), others=tuple(others), entered=entered)
        manifest, files = self._fingerprint(tuple(programs), frozenset())
        if made := self._written(declared, written, files):
            manifest, files = self._fingerprint(tuple(programs), made)
        followed = {call for program, call in programs.items() if self._is_project_code(program, files)}
        followed |= {
            call for level, _ in levels for each in level for call in each.calls if f"task:{call.name}" in tasks
        }
        names = dict.fromkeys(name for level, _ in levels for name in other_programs(level, followed))
        counted = {
            key: entry
            for key, entry in manifest.items()
            if not any(is_within(entry.file or "", each) for each in declared)
        }
        entries |= {key: _with_via(entry, counted, via) for key, entry in counted.items()}
        main = {entry.file or "": key for key, entry in entries.items() if key.startswith("effects:")}
        return ProgramCode(
            Manifest({**entries, PROGRAMS: Entry(digest_bytes(_VERSION), via=via)}, manifest.unresolved),
            tuple(scripts),
            {path: main[path] for path in scripts if path in main},
            tuple(dict.fromkeys(left_open)),
            {
                file: self._reads.files[file]
                for file in sorted(files & self._reads.files.keys())
                if not self._is_within(file, declared)
            },
            tuple(name for name in names if f"task:{name}" not in tasks),
            entered,
        )

    def _is_project_code(self, program: Program, files: Iterable[str]) -> bool:
        """Whether a program is one of the project, and not of an environment there, by the files that were found."""
        if program.file is not None:
            above = self._interpreters.above(os.path.dirname(program.file))
            return not any(os.path.exists(os.path.join(place, "pyvenv.cfg")) for place in above)
        path = (program.module or "").replace(".", "/")
        return not path or any(file.endswith((f"/{path}.py", f"/{path}/__main__.py")) for file in files)

    def _levels(
        self,
        started: list[StartedProgram],
        directory: str,
        entries: dict[str, Entry],
        via: str,
        runner: str = "",
    ) -> Iterator[tuple[list[StartedProgram], str]]:
        """The commands of a text in a directory, and those of each task that they run; adds the tasks' entries."""
        yield started, directory
        for command, calls in started:
            names = [(call.runner if call.kind == "task" else runner, call.name, call.directory) for call in calls]
            for owner, name, place in names or [(runner, command.words[0].text, command.directory)]:
                key = f"task:{name}"
                found = self._task(owner, name, directory, place) if owner and key not in entries else None
                if found is None:
                    continue
                entries[key] = Entry(found.digest, os.path.relpath(found.file, self._root), found.line, via=via)
                for task in found.tasks:
                    inner = os.path.normpath(os.path.join(found.directory, task.directory))
                    yield from self._levels(_started_by(task, found.directory, owner), inner, entries, key, owner)

    def _task(self, runner: str, name: str, base: str, directory: str | None) -> DeclaredTask | None:
        if directory is None:
            return None
        places = self._interpreters.above(os.path.normpath(os.path.join(base, directory)))
        found = (self._files.task(runner, name, place) for place in places)
        return next((each for each in found if each is not None), None)

    def _fingerprint(self, programs: tuple[Program, ...], written: frozenset[str]) -> tuple[Manifest, frozenset[str]]:
        """The manifest of programs, and the files that they consist of; computed once, since stages share programs."""
        known = self._manifests.get((programs, written))
        if known is None:
            fingerprinter = self._fingerprinter(written)
            known = self._manifests[programs, written] = fingerprinter.fingerprint(programs), fingerprinter.files
        return known

    def _fingerprinter(self, written: frozenset[str]) -> ScriptFingerprinter:
        """One for each set of paths whose code is not followed: mostly there is only the empty one."""
        known = self._fingerprinters.get(written)
        if known is None:

            def is_user_code(file: str) -> bool:
                return default_is_user_code(file) and not self._is_within(file, written)

            known = self._fingerprinters[written] = ScriptFingerprinter(
                self._root, is_user_code=is_user_code, memo=self._memo, listener=self._reads
            )
        return known

    def _is_within(self, file: str, paths: Collection[str]) -> bool:
        return bool(paths) and any(is_within(self._path(file), each) for each in paths)

    def _path(self, file: str) -> str:
        """The path of a file below the root."""
        path = self._paths.get(file)
        if path is None:
            path = self._paths[file] = os.path.relpath(os.path.realpath(file), self._root).replace(os.sep, "/")
        return path

    def _written(self, declared: Collection[str], written: Collection[str], files: Collection[str]) -> frozenset[str]:
        """The outs that a command reads or writes; none if no file is in one of the outs."""
        paths = {self._path(file) for file in files}
        around = {path[:end] for path in paths for end, letter in enumerate(f"{path}/") if letter == "/"}
        if around.isdisjoint(written):
            return frozenset()
        return frozenset(
            each for each in written if any(is_within(path, each) or is_within(each, path) for path in declared)
        )

    def _program(self, call: ProgramCall, directory: str, via: str) -> Program | None:
        """The program of a call that is followed; None for one that is not the project's."""
        places = python_path(call, directory, self._environment)
        late = self._interpreters.late_path(call, directory)
        if call.kind in ("command", "task"):
            text = self._console_script(call.name, directory)
            return None if text is None else Program(tuple(places), directory, text=text, via=via, late_path=late)
        here = [directory, *places] if call.beside else places
        if call.kind == "text":
            return Program(tuple(here), directory, text=call.name, via=via, late_path=late)
        if call.kind == "module":
            return Program(tuple(here), directory, module=call.name, via=via, late_path=late)
        file = self._script(call, directory)
        if file is None:
            return None
        beside = [os.path.dirname(os.path.realpath(file))] if call.beside else []
        return Program((*beside, *places), directory, file=file, via=via, late_path=late)

    def _script(self, call: ProgramCall, directory: str) -> str | None:
        """The file of a script of the project."""
        file = os.path.join(directory, call.name)
        self._reads.probed(file)
        if os.path.isdir(file):
            file = os.path.join(file, "__main__.py")
            self._reads.probed(file)
        try:
            path = ArtifactPath.resolve(file, base="", root=self._root)
        except PathError:
            return None
        file = os.path.join(self._root, path)
        if not os.path.isfile(file) or not (call.interpreter or file.endswith(".py") or self._names_python(file)):
            return None
        return file

    def _names_python(self, file: str) -> bool:
        """Whether the first line of a file says that it is a Python program."""
        try:
            with open(file, "rb") as content:
                return _SHEBANG.match(content.read(_HEAD)) is not None
        except OSError:
            return False

    def _console_script(self, name: str, directory: str) -> str | None:
        """The text of a program that the project declares by this name."""
        found = (self._files.console_script(name, place) for place in self._interpreters.above(directory))
        return next((text for text in found if text is not None), None)


def _started_by(task: Task, place: str, runner: str) -> list[StartedProgram]:
    """The commands of a task that a project declares in the directory ``place``."""
    texts = [text.replace("{root}", place) for text in task.texts]
    found = [
        each._replace(calls=tuple(_by_task(call, task, runner) for call in each.calls))
        for text in texts
        for each in started_programs(text)
    ]
    for target in task.functions:
        text = text_of(target)
        if text is not None:
            call = ProgramCall("text", text, target, "", runner=runner)
            found.append(StartedProgram(SimpleCommand((Word(target),), {}, ""), (_by_task(call, task, runner),)))
    return found


def _by_task(call: ProgramCall, task: Task, runner: str) -> ProgramCall:
    path = task.python_path if call.python_path is None else call.python_path
    return call._replace(runner=call.runner or runner, python_path=path)


def _with_via(entry: Entry, kept: Mapping[str, Entry], via: str) -> Entry:
    return entry if entry.via in kept else entry._replace(via=via)
