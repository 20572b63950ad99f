"""Control characters in what stages and files say: a terminal must show them, and not obey them; pure."""

import re
from typing import Final

_COLOUR: Final = r"\x1b\[[0-9;:]*m"
_SEQUENCE: Final = (
    rf"(?!{_COLOUR})\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?"
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
)
_RESET: Final = "\x1b[0m"


def harmless(text: str) -> str:
    """A text without what moves the cursor, clears the screen and the like; colours stay, and end with it."""
    if text.replace("\n", "").isprintable():
        return text
    shown = re.sub(_SEQUENCE, "", text)
    colours = re.findall(_COLOUR, shown)
    if not colours or colours[-1] in (_RESET, "\x1b[m"):
        return shown
    body = shown.rstrip("\n")
    return f"{body}{_RESET}{shown[len(body) :]}"
