"""Formats what the process that waits for the next command does, as text and as the documented JSON; pure."""

from typing import Any

from pivot_cli.terminal import formats
from pivot_runtime.warm.control import WarmState, WarmStatus


def status_text(found: WarmStatus) -> str:
    """Describe the process in one line, and the setting in another if it is off."""
    lines = [f"{_process(found)}{f': {found.reason}' if found.reason else ''}"]
    if not found.enabled:
        lines.append("The setting 'warm' is off: commands neither start nor use such a process")
    return formats.one_per_line(lines)


def _process(found: WarmStatus) -> str:
    match found.state:
        case WarmState.NONE:
            return "No process waits for the next command"
        case WarmState.STARTING:
            return f"Process {found.pid} imports libraries for the next command"
        case WarmState.SILENT:
            return f"Process {found.pid} cannot be used"
        case WarmState.WAITING if found.commands:
            return f"Process {found.pid} is used by {formats.counted(found.commands, 'command')}"
        case WarmState.WAITING:
            idle = formats.whole_seconds(found.idle_seconds or 0.0)
            return f"Process {found.pid} has waited for the next command for {idle}"


def status_json(found: WarmStatus) -> dict[str, Any]:
    """Return the process as JSON."""
    return {
        "warm": found.enabled,
        "state": found.state.value,
        "pid": found.pid,
        "idle_seconds": found.idle_seconds,
        "commands": found.commands,
        "reason": found.reason,
    }


def stop_text(pid: int | None) -> str:
    """Describe the end of the process."""
    return "No process waited for the next command\n" if pid is None else f"Ended process {pid}\n"
