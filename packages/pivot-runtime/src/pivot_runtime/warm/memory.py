"""Whether memory is scarce, so that a process that only waits should end."""

from typing import Final

_MEMINFO: Final = "/proc/meminfo"
_PRESSURE: Final = "/proc/pressure/memory"
_LEAST_AVAILABLE: Final = 1 / 16
"""The part of the memory that must be available."""
_MOST_STALLED: Final = 10.0
"""The percentage of the last ten seconds in which all processes waited for memory."""


def is_scarce(meminfo: str = _MEMINFO, pressure: str = _PRESSURE) -> bool:
    """Whether little memory is available, or processes wait for it; no where the system does not tell."""
    sizes = {line.partition(":")[0]: line.split() for line in _lines(meminfo)}
    try:
        if int(sizes["MemAvailable"][1]) < int(sizes["MemTotal"][1]) * _LEAST_AVAILABLE:
            return True
    except (KeyError, IndexError, ValueError):
        pass
    for line in _lines(pressure):
        kind, _, averages = line.partition(" ")
        if kind == "full":
            return any(_percentage(each) > _MOST_STALLED for each in averages.split() if each.startswith("avg10="))
    return False


def _percentage(text: str) -> float:
    try:
        return float(text.partition("=")[2])
    except ValueError:
        return 0.0


def _lines(file: str) -> list[str]:
    try:
        with open(file, encoding="ascii", errors="replace") as opened:
            return opened.read().splitlines()
    except OSError:
        return []
