"""Texts that a terminal must not obey."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_cli.terminal.formats import escaped, one_line, one_per_line, strip_control


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("plain\n\ttext é ✅\n", "plain\n\ttext é ✅\n"),
        ("\x1b[31mred\x1b[0m and \x1b[1;32mgreen\x1b[m\n", "\x1b[31mred\x1b[0m and \x1b[1;32mgreen\x1b[m\n"),
        ("\x1b[31mred without end\n", "\x1b[31mred without end\x1b[0m\n"),
        ("a\x1b[2Jb\x1b[?1049hc\x1b[10;10Hd\x1b[K", "abcd"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\\\b\x1b]never ends", "a\\b"),
        ("a\x1bcb\x1b(Bc\x1b", "abc"),
        ("a\x00b\x08c\x07d\x7fe\x9bf\rg", "abcdefg"),
        ("\x1b\x1b[31m\x1b[2;", "\x1b[31m2;\x1b[0m"),
    ],
)
def test_only_colours_reach_the_terminal(said: str, shown: str) -> None:
    assert strip_control(said) == shown
    assert strip_control(shown) == shown


@given(st.text(), st.sampled_from(["", "\x1b[31m\x1b[1merror:\x1b[0m ", "\x1b[90mcached  \x1b[0m  "]))
def test_foreign_text_is_shown_and_never_interpreted(said: str, ours: str) -> None:
    shown = escaped(ours + said)

    assert shown.startswith(ours)
    assert shown[len(ours) :].replace("\n", "").isprintable() or "\x1b" in said
    assert one_line(said).isprintable()
    assert escaped(one_line(said)) == one_line(said)


def test_an_escape_is_four_letters_and_only_our_colours_stay() -> None:
    assert escaped("a\x1b[31mred\x1b[0m\u202e\t\x9b2J\udcff\n") == r"a\x1b[31mred\x1b[0m\u202e\t\x9b2J\xff" + "\n"
    assert escaped("\x1b[31mran     \x1b[0m  a\x1b[2J") == "\x1b[31mran     \x1b[0m  a\\x1b[2J"
    assert one_line("a\n::error::b") == r"a\n::error::b"
    assert one_per_line(["a", "b\n::error::c"]) == "a\nb\\n::error::c\n"
