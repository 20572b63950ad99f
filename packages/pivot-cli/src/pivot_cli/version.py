"""The version of Pivot, from package metadata only."""

import os
import sys
from typing import Final

_DISTRIBUTION: Final = "pivot-cli"


def version_line() -> str:
    """``pivot X.Y.Z``."""
    return f"pivot {_installed() or _anywhere()}"


def _installed() -> str | None:
    """Return the version in the metadata on the path; importing `importlib.metadata` takes too long."""
    prefix = f"{_DISTRIBUTION.replace('-', '_')}-"
    for directory in sys.path:
        try:
            found = [name for name in os.listdir(directory) if name.startswith(prefix) and name.endswith(".dist-info")]
            for name in found:
                with open(os.path.join(directory, name, "METADATA"), encoding="utf-8") as metadata:
                    for line in metadata:
                        if line.startswith("Version: "):
                            return line.removeprefix("Version: ").strip()
        except OSError:
            continue
    return None


def _anywhere() -> str:
    import importlib.metadata  # lazy

    return importlib.metadata.version(_DISTRIBUTION)
