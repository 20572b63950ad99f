"""What a terminal must not obey."""

import pytest

from pivot_cli.control import harmless


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
    assert harmless(said) == shown
    assert harmless(shown) == shown
