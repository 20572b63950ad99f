"""Fingerprints of many stages, made side by side in forked processes.

Besides being faster, this keeps the memory of the process that forks them small: syntax trees and all else that
fingerprints need ends with the forked processes, and each process of a stage that is forked later copies less.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from os import _exit, fork, pipe, read, waitpid, write  # user code may replace those of the module
from random import getstate, setstate
from typing import NamedTuple

from pivot_runtime.fingerprints.encoded_stages import EncodedStages
from pivot_runtime.fingerprints.imported_files import ImportedFiles
from pivot_runtime.fingerprints.load_findings import LoadFindings
from pivot_runtime.fingerprints.load_recorder import LoadRecorder
from pivot_runtime.fingerprints.stage_fingerprints import DeclaredStage, StageFingerprints
from pivot_runtime.processes import parent_death, wire
from pivot_runtime.worker import stage_main

_MANY_STAGES, _MANY_FILES = 200, 64
"""The numbers of stages and of modules whose fingerprints take longer than forking processes for them."""
_PARTS = 2
_CHUNK = 1 << 16


class _Part(NamedTuple):
    """A process that makes some of the fingerprints.

    Attributes:
        stages: The stages.
        files: Files to read first.
        name: The name under which their manifests are kept.
        pid: Its pid; None if it could not be started.
        reader: The descriptor that its result comes from.
    """

    stages: Sequence[DeclaredStage]
    files: Sequence[str]
    name: str
    pid: int | None = None
    reader: int = -1


def is_worthwhile(stages: Sequence[DeclaredStage], imported: ImportedFiles) -> bool:
    """Whether there is enough to do to fork processes for it: many stages or modules, most of which are new."""
    many = len(stages) >= _MANY_STAGES or len(imported.files) >= _MANY_FILES
    return many and imported.are_mostly_new and len(stages) >= _PARTS


def encoded(
    stages: Sequence[DeclaredStage],
    files: Sequence[str],
    fingerprints: StageFingerprints,
    recorder: LoadRecorder,
    is_reliable: Callable[[], bool] = lambda: True,
) -> EncodedStages | None:
    """The stages with their fingerprints, made in forked processes; this process must have no other thread.

    These first read the new ``files``, each some of them.

    None if two processes have read different contents, for instance of a file that was edited meanwhile. The
    fingerprints of a process that fails are made here, and so are those of one where ``is_reliable`` is false at its
    end. The ``recorder`` of this process gets what it would have recorded.
    """
    parts = [_started(part, fingerprints, recorder, is_reliable) for part in _split(stages, files)]
    results, agree = list[EncodedStages](), True
    for part in parts:
        result = _result(part)
        if result is None:
            results.append(fingerprints.encoded(part.stages, part.name, part.files))
        else:
            agree = recorder.add(result[0]) and agree
            results.append(result[1])
    if not agree:
        return None
    fingerprints.join_kept([part.name for part in parts])
    return EncodedStages.joined(results)


def _split(stages: Sequence[DeclaredStage], files: Sequence[str]) -> Iterator[_Part]:
    """Split the stages into neighbours, which often use the same code, and the files evenly."""
    for number in range(_PARTS):
        begin, end = (len(stages) * each // _PARTS for each in (number, number + 1))
        yield _Part(stages[begin:end], files[number::_PARTS], str(number + 1))


def _started(
    part: _Part,
    fingerprints: StageFingerprints,
    recorder: LoadRecorder,
    is_reliable: Callable[[], bool],
) -> _Part:
    stage_main.flush_streams()  # else both processes print what is in the buffers
    try:
        reader, writer = pipe()
    except OSError:
        return part
    own, state = os.getpid(), getstate()
    before = recorder.findings()
    try:
        with recorder.paused():
            pid = fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        return part
    if pid == 0:
        try:
            parent_death.die_with(own)
            setstate(state)  # Python seeds the generator again in a fork, and values may be its methods
            result = fingerprints.encoded(part.stages, part.name, part.files)
            stage_main.flush_streams()
            if is_reliable():
                head = wire.dumps(recorder.findings().since(before).to_plain()).encode()
                _write(writer, b"%d %s\n%s" % (len(result.text), head, result.text))
        finally:
            _exit(0)
    os.close(writer)
    return part._replace(pid=pid, reader=reader)


def _result(part: _Part) -> tuple[LoadFindings, EncodedStages] | None:
    """The findings and the stages of a process; None if it has failed."""
    if part.pid is None:
        return None
    content = bytearray()
    while data := read(part.reader, _CHUNK):
        content += data
    os.close(part.reader)
    with contextlib.suppress(ChildProcessError):  # the user's module may have set that nobody waits for children
        waitpid(part.pid, 0)
    head, _, text = bytes(content).partition(b"\n")
    size, _, found = head.partition(b" ")
    if not size or int(size) != len(text):
        return None
    return LoadFindings.from_plain(wire.loads(found.decode())), EncodedStages(
        [each.spec.address for each in part.stages], text
    )


def _write(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[write(fd, view) :]
