"""The text of ``~/.ssh/config``, which decides on what machine, and as whom, a host of a URL is reached."""

import glob
import re
from pathlib import Path
from typing import Final

from pivot_core.files.digest import digest_lines

_INCLUDE: Final = re.compile(r"\s*include[\s=]+(.+)", re.IGNORECASE)
_DEPTH: Final = 8
_LARGEST: Final = 1 << 20


def config_digest() -> str:
    """Return a digest of ``~/.ssh/config`` and the files that it includes; nothing is understood but ``Include``.

    An edit that has nothing to do with a remote changes it as well: the remote is then asked once more what it has.
    """
    try:
        home = Path.home() / ".ssh"
    except RuntimeError:
        return digest_lines([])
    return digest_lines(_lines(home / "config", home, _DEPTH))


def _lines(file: Path, home: Path, depth: int) -> list[str]:
    try:
        with open(file, errors="replace") as opened:
            lines = opened.read(_LARGEST).splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        found.append(line)
        included = _INCLUDE.fullmatch(line)
        if included is not None and depth > 0:
            for pattern in included[1].replace('"', " ").split():
                path = Path(pattern).expanduser() if pattern.startswith("~") else home / pattern
                for each in sorted(glob.glob(str(path))):
                    found += [each, *_lines(Path(each), home, depth - 1)]
    return found
