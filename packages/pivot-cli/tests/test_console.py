"""The captured output."""

from pivot_cli.terminal.console import OutputCapture


def test_output_is_captured_by_stream() -> None:
    heard = OutputCapture()
    for stream, line in (("out", "1"), ("err", "2"), ("out", "3")):
        heard.add(stream, line)

    assert heard.all() == ("13", "2")


def test_too_much_output_is_not_captured_at_all() -> None:
    """Else what stages print would fill the memory."""
    heard = OutputCapture(most=10)
    heard.add("out", "12345")
    heard.add("err", "12345")
    assert heard.all() == ("12345", "12345")
    heard.add("err", "6")
    heard.add("out", "")

    assert heard.all() is None
