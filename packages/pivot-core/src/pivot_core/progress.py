"""Progress callbacks for long work, which callers may omit."""


def no_progress(*_: object) -> None:
    """Ignore the progress."""
