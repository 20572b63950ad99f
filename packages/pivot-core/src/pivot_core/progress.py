"""Progress of long work: callbacks that a caller may leave out."""


def no_progress(*_: object) -> None:
    """Ignore the progress."""
