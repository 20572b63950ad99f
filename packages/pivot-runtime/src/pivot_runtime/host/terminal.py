"""The terminal is the command's: a stage that asked it for something would be stopped, and wait forever."""

import contextlib
import fcntl
import os
import termios


def give_up() -> None:
    """From now on neither this process nor those that it forks can open the terminal from which they were started."""
    with contextlib.suppress(OSError):  # there is none
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(terminal, termios.TIOCNOTTY)
        finally:
            os.close(terminal)
