"""Records what the real commands print on a terminal, as pictures in docs/images/.

Each scene runs in a copy of `project/`. A picture that only has other times than the one that is there is not written.
"""

import itertools
import os
import pathlib
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl

import attrs
import pyte
from terminal_svg import Moment, Row, Screen, Span, picture, plain, screen_of

HERE = pathlib.Path(__file__).parent
IMAGES = HERE.parent.parent / "docs/images"
LINES = 50
TYPING, LONGEST_PAUSE, READING = 0.035, 0.4, 0.13
"""Seconds for a typed character, between two things that are printed, and to read a line of what was printed."""
PROMPT, GREY, PLAIN = "\x1b[1m$\x1b[0m ", "\x1b[90m", "\x1b[0m"
BACK = "sed -i 's/2 [*] max/max/' helpers.py"
EDIT = "sed -i 's/: max/: 2 * max/' helpers.py"
DURATION = re.compile(r" *\b\d+(?:\.\d+)?(?:ms|s)\b")


@attrs.frozen
class Scene:
    """A picture, and the commands that it shows, after others that it does not show."""

    name: str
    title: str
    commands: tuple[str, ...]
    before: tuple[str, ...] = ("pivot repro",)
    animated: bool = False
    columns: int = 88


SCENES = (
    Scene(
        "quickstart",
        "Edit a helper: Pivot runs the stages that use it",
        (
            f"{EDIT}    # edit a helper",
            "pivot status --explain features",
            "pivot repro",
            f"{BACK}    # undo the edit",
            "pivot repro",
            "pivot repro",
        ),
        animated=True,
        columns=80,
    ),
    Scene("progress", "A first run", ("pivot repro -p train.rounds=40000",), before=(), animated=True, columns=80),
    Scene("explain", "Why a stage will run", (EDIT, "pivot status", "pivot status --diff features")),
    Scene("dag", "The graph of the stages", ("pivot dag", "pivot list +evaluate"), columns=80),
    Scene("verify", "What CI checks", ("pivot verify", EDIT, "pivot verify"), columns=80),
)


def environment(home: pathlib.Path) -> dict[str, str]:
    """That of a reader with a new account, who has Pivot on the PATH."""
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": path, "HOME": str(home), "TERM": "xterm-256color", "LANG": "C.UTF-8"}


def record(scene: Scene, place: pathlib.Path) -> tuple[Screen, str]:
    """Run a scene in an empty directory: its last screen, and its picture."""
    project = place / "project"
    shutil.copytree(HERE / "project", project, ignore=shutil.ignore_patterns("__pycache__"))
    env = environment(place)
    for command in ("git init -q", "pivot init -q", *scene.before):
        subprocess.run(["bash", "-c", command], cwd=project, env=env, check=True, capture_output=True)
    moments = list(_play(scene, project, env))
    seconds = round(moments[-1].at + 4, 2)
    if not scene.animated:
        moments = [Moment(0, moments[-1].screen)]
    return moments[-1].screen, picture(scene.title, moments, seconds=seconds, columns=scene.columns)


def _play(scene: Scene, project: pathlib.Path, env: dict[str, str]) -> Iterator[Moment]:
    """The screen after each thing that happens on it."""
    terminal = pyte.Screen(scene.columns, LINES)
    stream = pyte.Stream(terminal)
    at = 0.0
    for number, command in enumerate(scene.commands):
        stream.feed(("\r\n" if number else "") + PROMPT)
        yield Moment(at, _screen(terminal))
        at += 0.4
        for typed in itertools.batched(command.replace(" #", f" {GREY}#"), 3, strict=False):
            stream.feed("".join(typed))
            at = round(at + TYPING * len(typed), 2)
            yield Moment(at, _screen(terminal))
        stream.feed(f"{PLAIN}\r\n")
        before, lines = 0.0, terminal.cursor.y
        for seconds, text in _printed(command, project, env, scene.columns):
            at = round(at + min(seconds - before, LONGEST_PAUSE), 2)
            before = seconds
            stream.feed(text)
            yield Moment(at, _screen(terminal))
        at = round(at + 0.5 + READING * (terminal.cursor.y - lines), 2)


def _printed(command: str, project: pathlib.Path, env: dict[str, str], columns: int) -> Iterator[tuple[float, str]]:
    """What a command prints on a terminal, each with the seconds since it was started."""
    ours, its = pty.openpty()
    ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    started = time.monotonic()
    with subprocess.Popen(
        ["bash", "-c", command], cwd=project, env=env, stdin=its, stdout=its, stderr=its, start_new_session=True
    ) as process:
        os.close(its)
        kept = b""
        while True:
            select.select([ours], [], [])
            try:
                kept += os.read(ours, 65536)
            except OSError:  # nobody has the other end any more
                break
            seconds = time.monotonic() - started
            try:
                text = kept.decode()
            except UnicodeDecodeError:
                continue
            kept = b""
            yield seconds, text
        process.wait()
    os.close(ours)


def _screen(terminal: pyte.Screen) -> Screen:
    return screen_of(_row(terminal, number) for number in range(terminal.lines))


def _row(terminal: pyte.Screen, number: int) -> Row:
    """The characters of a line as spans; spaces divide them only where they are many, or end the line."""
    cells = [terminal.buffer[number][column] for column in range(terminal.columns)]
    spans = []
    column = 0
    for (colour, bold), run in itertools.groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
        text = "".join(cell.data for cell in run)
        for match in re.finditer(r"\S+(?: \S+)*", text):
            is_prompt = bold and column + match.start() == 0 and match[0] == "$"
            spans.append(Span(column + match.start(), match[0], "prompt" if is_prompt else _colour(colour), bool(bold)))
        column += len(text)
    return tuple(spans)


def _colour(name: str) -> str:
    return "black" if name == "brightblack" else name.removeprefix("bright")


def facts(svg: str) -> list[str]:
    """The lines that a picture shows, except those that differ from run to run, without times and in any order.

    Stages that run side by side end in any order, cached stages share a line or not, and a busy machine imports slowly.
    """
    found = re.search(r"<desc>(.*?)</desc>", svg, re.DOTALL)
    lines = found[1].splitlines() if found else []
    return sorted(DURATION.sub(" …", line) for line in lines if not line.startswith(("note: ", "cached ")))


def main(arguments: list[str]) -> int:
    """Record the named scenes, or all; with `--check`, only report which are no longer as their pictures show them."""
    names = {name for name in arguments if name != "--check"} or {scene.name for scene in SCENES}
    changed = 0
    for scene in SCENES:
        if scene.name not in names:
            continue
        with tempfile.TemporaryDirectory(prefix="recording-") as place:
            screen, svg = record(scene, pathlib.Path(place))
        file = IMAGES / f"{scene.name}.svg"
        if file.exists() and facts(file.read_text()) == facts(svg):
            continue
        changed += 1
        sys.stdout.write(f"{file.name} has changed; now:\n{plain(screen)}\n\n")
        if "--check" not in arguments:
            file.write_text(svg)
    return int("--check" in arguments and changed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
