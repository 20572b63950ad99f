"""Draws the diagrams of the documentation: `docs/images/*.svg`, readable in light and in dark.

`nox -s reference` draws them again; a test compares them with the files.
"""

import html
import pathlib
import sys
from collections.abc import Callable, Iterable

import attrs

IMAGES = pathlib.Path(__file__).parent.parent / "docs/images"
STYLE = """
:root{--back:#f7faf9;--rim:#d3dedd;--ink:#14272a;--soft:#526669;--box:#fff;--edge:#7d9497;--main:#0d3b40;--on:#fff;--go:#b84a10}
@media(prefers-color-scheme:dark){:root{--back:#121e20;--rim:#2a3b3d;--ink:#dfe9e8;--soft:#a2b5b4;--box:#1a2a2c;--edge:#6f8789;
--main:#1d6068;--on:#fff;--go:#ff9d5c}}
text{font:14px "IBM Plex Sans",system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--ink)}
.s{font-size:12.5px;fill:var(--soft)}.h{font-weight:600}.c{text-anchor:middle}
.back{fill:var(--back);stroke:var(--rim)}.box{fill:var(--box);stroke:var(--edge);stroke-width:1.2}.main{fill:var(--main);stroke:none}
.area{fill:none;stroke:var(--edge);stroke-dasharray:5 4}
.on{fill:var(--on)}.l{fill:none;stroke:var(--edge);stroke-width:1.6}.g{stroke:var(--go)}.gt{fill:var(--go)}
"""


@attrs.frozen
class Box:
    """A box with lines of text, the first one bold; `x` and `y` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]
    look: str = "box"

    @property
    def left(self) -> tuple[float, float]:
        """The middle of the left side."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> tuple[float, float]:
        """The middle of the right side."""
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> tuple[float, float]:
        """The middle of the upper side."""
        return self.x + self.width / 2, self.y

    @property
    def bottom(self) -> tuple[float, float]:
        """The middle of the lower side."""
        return self.x + self.width / 2, self.y + self.height

    def svg(self) -> str:
        """The box, with its text in the middle."""
        middle, first = self.x + self.width / 2, self.y + self.height / 2 + 5 - 9 * (len(self.lines) - 1)
        on = " on" if self.look == "main" else ""
        parts = [
            f'<rect class="{self.look}" x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="7"/>'
        ]
        for number, line in enumerate(self.lines):
            look = ("c h" if number == 0 else "c s") + on
            parts.append(
                f'<text class="{look}" x="{middle}" y="{first + 18 * number}">{html.escape(line, quote=False)}</text>'
            )
        return "".join(parts)


def text(x: float, y: float, words: str, look: str = "s") -> str:
    """A line of text."""
    return f'<text class="{look}" x="{x}" y="{y}">{html.escape(words, quote=False)}</text>'


def area(x: float, y: float, width: float, height: float, words: str) -> str:
    """A dashed frame with a name in its corner."""
    frame = f'<rect class="area" x="{x}" y="{y}" width="{width}" height="{height}" rx="10"/>'
    return frame + text(x + 12, y + 20, words, "s h")


def arrow(
    start: tuple[float, float], end: tuple[float, float], words: str = "", *, side: float = -7, go: bool = False
) -> str:
    """An arrow, straight or with one bend at right angles, and words beside its middle."""
    (x0, y0), (x1, y1) = start, end
    bend = "" if x0 == x1 or y0 == y1 else f" L{x1} {y0}"
    look, mark, ink = ("l g", "go", "s c gt") if go else ("l", "to", "s c")
    path = f'<path class="{look}" d="M{x0} {y0}{bend} L{x1} {y1}" marker-end="url(#{mark})"/>'
    return path + (text((x0 + x1) / 2, (y0 + y1) / 2 + side, words, ink) if words else "")


def beside(start: tuple[float, float], words: str) -> str:
    """Words to the right of where an arrow begins downwards."""
    return text(start[0] + 9, start[1] + 20, words)


def drawing(title: str, description: str, size: tuple[int, int], parts: Iterable[str | Box]) -> str:
    """The SVG of all parts."""
    width, height = size
    marks = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7.5" markerHeight="7.5" orient="auto">'
        f'<path d="M0 0 10 5 0 10z" style="fill:var(--{colour})"/></marker>'
        for name, colour in (("to", "edge"), ("go", "go"))
    )
    body = "\n".join(part.svg() if isinstance(part, Box) else part for part in parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f"<title>{html.escape(title)}</title>\n<desc>{html.escape(description)}</desc>\n"
        f"<style>{STYLE}</style><defs>{marks}</defs>\n"
        f'<rect class="back" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="10"/>\n'
        f"{body}\n</svg>\n"
    )


def how_a_run_decides() -> str:
    """The decision about one stage."""
    last = Box(30, 24, 300, 66, ("The last run", "lock file: code, parameters, deps, outs"))
    now = Box(390, 24, 300, 66, ("Now", "sources, parameters, deps, outs"))
    equal = Box(225, 136, 270, 52, ("Is every fact equal?",), "main")
    there = Box(225, 240, 270, 52, ("Can it run at all?", "its deps exist, or a stage writes them"), "main")
    known = Box(225, 344, 270, 52, ("Did a run have these inputs?", "and is its result in the cache?"), "main")
    cached = Box(545, 136, 155, 52, ("cached", "nothing is done"))
    blocked = Box(545, 240, 155, 52, ("blocked", "with the missing path"))
    restored = Box(545, 344, 155, 52, ("restored", "without running"))
    ran = Box(225, 448, 270, 52, ("run", "then store outs, last write the lock"))
    return drawing(
        "How a run decides",
        "The facts of the last run are compared with the current ones. If all are equal, the stage is cached. "
        "Otherwise, it is blocked if a dep is missing, restored if an earlier run had the same inputs, and run if "
        "none had.",
        (720, 524),
        [
            *(last, now, equal, there, known, cached, blocked, restored, ran),
            arrow((300, 90), (300, 136)),
            arrow((420, 90), (420, 136)),
            arrow(equal.right, cached.left, "yes"),
            arrow(equal.bottom, there.top),
            beside(equal.bottom, "no"),
            arrow(there.right, blocked.left, "no"),
            arrow(there.bottom, known.top),
            beside(there.bottom, "yes"),
            arrow(known.right, restored.left, "yes"),
            arrow(known.bottom, ran.top, go=True),
            beside(known.bottom, "no"),
            text(30, 168, "One function decides for"),
            text(30, 186, "repro, --dry-run, status,"),
            text(30, 204, "--explain and verify, so"),
            text(30, 222, "they cannot disagree."),
        ],
    )


def packages() -> str:
    """The packages, each above what it imports."""
    top = Box(40, 28, 410, 56, ("pivot", "the names that users import"), "main")
    cli = Box(40, 116, 410, 56, ("pivot-cli", "arguments in; text and exit codes out"))
    runtime = Box(40, 204, 410, 56, ("pivot-runtime", "loads pipelines, runs stages, reports status"))
    cache = Box(215, 292, 235, 56, ("pivot-cache", "objects, lock files, transfers"))
    prints = Box(40, 292, 155, 144, ("pivot-fingerprint", "a function →", "the code that it uses"))
    core = Box(215, 380, 235, 56, ("pivot-core", "stages, graph, decisions"))
    apps = Box(520, 116, 200, 56, ("pivot-ui · pivot-mcp", "a page · tools for programs"))
    dask = Box(520, 204, 200, 56, ("pivot-dask", "stages on a cluster"))
    remotes = Box(520, 280, 200, 80, ("pivot-remote-…", "s3: Amazon and its like", "ssh · obstore: all others"))
    loaders = Box(520, 380, 200, 56, ("pivot-loaders", "formats of data libraries"))
    return drawing(
        "What the packages are",
        "pivot imports pivot-cli, which imports pivot-runtime, which imports pivot-cache and pivot-fingerprint; "
        "pivot-cache imports pivot-core. Plug-ins: pivot-ui and pivot-mcp for pivot-cli, pivot-dask for pivot-runtime, "
        "the remotes for pivot-cache, and pivot-loaders, which imports pivot-core.",
        (760, 464),
        [
            *(top, cli, runtime, cache, prints, core, apps, dask, remotes, loaders),
            arrow(top.bottom, cli.top),
            arrow(cli.bottom, runtime.top),
            arrow((332.5, 260), cache.top),
            arrow((117.5, 260), prints.top),
            arrow(cache.bottom, core.top),
            arrow(apps.left, cli.right),
            arrow(dask.left, runtime.right),
            arrow(remotes.left, cache.right),
            arrow(loaders.left, core.right),
            text(620, 98, "plug-ins", "s c h"),
        ],
    )


def processes() -> str:
    """The processes of a command, and what each may do."""
    command = Box(
        30,
        70,
        190,
        92,
        ("command", "decides, stores outs,", "writes the lock files;", "never imports your code"),
        "main",
    )
    host = Box(
        330, 70, 190, 92, ("host", "imports your pipeline", "and its libraries, once;", "fingerprints the stages")
    )
    one = Box(630, 22, 180, 74, ("stage process", "loads deps, calls your", "function, writes outs"))
    two = Box(630, 136, 180, 74, ("stage process", "another stage,", "at the same time"))
    disk = Box(30, 236, 190, 60, ("cache, lock files", "and the history, in .pivot/"))
    work = Box(630, 250, 180, 46, ("programs it starts",))
    return drawing(
        "Command, host and stage processes",
        "The command asks a host process to import the pipeline. The host forks a process for each stage run, which "
        "may start programs. Events go back to the command, which alone writes the cache and the lock files.",
        (840, 322),
        [
            *(command, host, one, two, disk, work),
            arrow((220, 100), (330, 100), "requests"),
            arrow((330, 134), (220, 134), "events", side=17),
            arrow((520, 82), (630, 82), "fork"),
            arrow((520, 148), (630, 148), "fork"),
            arrow(command.bottom, disk.top, go=True),
            beside(command.bottom, "writes, alone"),
            arrow(two.bottom, work.top),
            text(330, 200, "A crash ends one stage's process only."),
            text(330, 218, "If nothing has changed, there is no host:"),
            text(330, 236, "the command answers from its records."),
        ],
    )


def cache_and_remote() -> str:
    """Where the bytes of a result are, and which command moves them."""
    work = Box(40, 32, 200, 84, ("workspace", "data/raw.csv", "model.json"))
    cache = Box(340, 32, 200, 84, ("cache", ".pivot/cache: one read-only", "object for each content"), "main")
    remote = Box(640, 32, 170, 84, ("remote", "S3, a drive, SSH, …:", "the same objects"))
    locks = Box(40, 222, 200, 62, ("lock files, .pvt files", "names and digests"))
    git = Box(340, 222, 200, 62, ("git", "of you and your team"))
    return drawing(
        "The cache and a remote",
        "repro, commit and track store files of the workspace in the cache; checkout and repro restore them. push "
        "uploads objects to a remote, fetch downloads them, pull also restores them. Lock files name objects by "
        "digest, and are in git.",
        (850, 308),
        [
            *(work, cache, remote, locks, git),
            arrow((240, 58), (340, 58), "repro, track"),
            arrow((340, 94), (240, 94), "checkout", side=17),
            arrow((540, 58), (640, 58), "push"),
            arrow((640, 94), (540, 94), "fetch", side=17),
            '<path class="l" d="M725 116 V166 H140 V116" marker-end="url(#to)"/>',
            text(432, 184, "pull = fetch + checkout", "s c"),
            arrow((90, 116), (90, 222), go=True),
            text(99, 210, "repro, commit, track write them"),
            arrow(locks.right, git.left, "git add"),
            text(560, 244, "A lock file says which objects a result"),
            text(560, 262, "consists of. Whoever has the commit and"),
            text(560, 280, "the objects need not run anything."),
        ],
    )


def what_is_followed() -> str:
    """What the fingerprint of a stage consists of, and what it leaves out."""
    stage = Box(40, 150, 170, 60, ("train", "the stage's function"), "main")
    helper = Box(290, 54, 180, 52, ("scale", "a helper that it calls"))
    deeper = Box(550, 54, 200, 52, ("LIMITS", "a constant that scale uses"))
    cls = Box(290, 126, 180, 52, ("Model", "a class, with its bases"))
    loader = Box(290, 198, 180, 52, ("JSON(indent=2)", "a loader and its options"))
    plugin = Box(290, 300, 180, 52, ("plugins.forest", "found when it ran"))
    unseen = Box(550, 300, 200, 52, ("getattr(module, name)", "listed under Not tracked"))
    free = Box(
        550,
        150,
        200,
        100,
        ("does not count", "comments, formatting,", "docstrings, functions", "that train does not use"),
        "area",
    )
    return drawing(
        "What a fingerprint follows",
        "From the stage's function, the fingerprint follows helpers, constants, classes and loaders. Code that is "
        "only found when the stage runs is observed. What neither can see is listed under Not tracked.",
        (790, 380),
        [
            area(270, 22, 500, 242, "read from the code, before anything runs"),
            area(270, 272, 220, 92, "observed in the run"),
            area(530, 272, 240, 92, "neither"),
            *(stage, helper, deeper, cls, loader, plugin, unseen, free),
            '<path class="l" d="M210 172 H250 V80 H290" marker-end="url(#to)"/>',
            '<path class="l" d="M210 180 H250 V152 H290" marker-end="url(#to)"/>',
            '<path class="l" d="M210 188 H250 V224 H290" marker-end="url(#to)"/>',
            arrow(helper.right, deeper.left),
            '<path class="l g" d="M125 210 V326 H290" marker-end="url(#go)"/>',
            text(134, 316, "while it runs", "s gt"),
        ],
    )


DIAGRAMS: dict[str, Callable[[], str]] = {
    "how-a-run-decides": how_a_run_decides,
    "packages": packages,
    "processes": processes,
    "cache-and-remote": cache_and_remote,
    "what-is-followed": what_is_followed,
}


def main() -> int:
    """Draw all; with `--check`, only report which differ from their files."""
    check = sys.argv[1:] == ["--check"]
    changed = []
    for name, draw in DIAGRAMS.items():
        file = IMAGES / f"{name}.svg"
        if not file.exists() or file.read_text() != draw():
            changed.append(file.name)
            if not check:
                file.write_text(draw())
    sys.stdout.write("".join(f"{name} has changed\n" for name in changed))
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
