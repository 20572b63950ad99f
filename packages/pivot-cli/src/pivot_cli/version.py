"""Which Pivot this is, from package metadata only."""

import importlib.metadata


def version_line() -> str:
    """``pivot X.Y.Z``."""
    return f"pivot {importlib.metadata.version('pivot-cli')}"
