"""`pivot warm`: the state of the warm process of a project, and its end."""

import enum

import attrs

from pivot_core.values import Value
from pivot_runtime.context import CommandContext
from pivot_runtime.warm import client, record, starting


class WarmState(enum.Enum):
    """The state of a warm process."""

    WAITING = "waiting"
    STARTING = "starting"
    SILENT = "silent"
    NONE = "none"


@attrs.frozen(eq=False, repr=False)
class WarmStatus(Value):
    """The warm process of a project.

    Attributes:
        enabled: Whether the settings ask for one.
        state: Its state; `SILENT` if it does not answer, so that commands do not use it.
        pid: The process; None if there is none.
        idle_seconds: For how long no command has used it.
        commands: The number of commands that use it now.
        libraries: The libraries that it has imported.
        reason: Why there is none, or why a command starts none, if that is known.
    """

    enabled: bool
    state: WarmState
    pid: int | None = None
    idle_seconds: float | None = None
    commands: int = 0
    libraries: tuple[str, ...] = ()
    reason: str = ""


def warm_status(context: CommandContext) -> WarmStatus:
    """Return the state of the process; it is asked, and need not answer."""
    layout, enabled = context.project.layout, context.settings.warm
    held, lives = record.read(layout)
    if held is None or not lives:
        reason = starting.why_not(layout, context.environment) if enabled else None
        return WarmStatus(enabled, WarmState.NONE, reason=reason or str((held or {}).get("reason", "")))
    pid = int(held["pid"])
    if held.get("state") == WarmState.STARTING.value:
        return WarmStatus(enabled, WarmState.STARTING, pid)
    answer = client.ask_status(layout)
    if isinstance(answer, dict):
        idle, commands = float(answer.get("idle", 0.0)), int(answer.get("commands", 0))
        return WarmStatus(enabled, WarmState.WAITING, pid, idle, commands, tuple(answer.get("libraries", ())))
    return WarmStatus(enabled, WarmState.SILENT, pid, reason=answer or "")


def stop(context: CommandContext) -> int | None:
    """End the process, even one that does not answer; return its pid, and None if there was none."""
    return starting.end(context.project.layout)
