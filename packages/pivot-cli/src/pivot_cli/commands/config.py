"""`pivot config`."""

import json
from typing import Final

import click

from pivot_cli import options
from pivot_cli.app import SuggestingGroup
from pivot_cli.completion import setting_candidates
from pivot_cli.context import config_store
from pivot_cli.terminal import console
from pivot_cli.views import config
from pivot_runtime.config import keys
from pivot_runtime.config.store import ResolvedConfig, config_warnings

_EXAMPLES: Final = """\b
Examples:
  pivot config list            Show all settings and their sources.
  pivot config get run.jobs    Show one setting.
  pivot config set run.jobs 4  Change it in the project's file.
  pivot config unset run.jobs  Return to the default.
"""


@click.group("config", cls=SuggestingGroup, epilog=_EXAMPLES)
def command() -> None:
    """Show and change settings.

    The environment overrides the project's .pivot/config.yaml, which overrides your own file for all projects, which
    overrides the defaults.
    """


_GET_EXAMPLES: Final = """\b
Examples:
  pivot config get run.jobs  Print the number of stages at once.
"""


@command.command("get", epilog=_GET_EXAMPLES)
@click.argument("key", shell_complete=setting_candidates)
@options.everywhere
@options.as_json
def get(key: str, *, user: bool, as_json: bool) -> int:
    """Print the value of KEY.

    The exit code is 1 if it has none. With --global, use only your own file.
    """
    found = config_store().read(user=user)
    setting = found.get(key)
    _warn(found)
    if as_json:
        console.data(json.dumps(config.setting_json(setting), indent=2))
    elif setting.text is not None and not (user and key not in found.explicit):
        console.data(setting.text)
    return 1 if setting.text is None or (user and key not in found.explicit) else 0


_SET_EXAMPLES: Final = """\b
Examples:
  pivot config set run.jobs 4           Run four stages at once.
  pivot config set --global run.jobs 4  Do so in all your projects.
"""


@command.command("set", epilog=_SET_EXAMPLES)
@click.argument("key", shell_complete=setting_candidates)
@click.argument("value")
@options.everywhere
@options.as_json
def assign(key: str, value: str, *, user: bool, as_json: bool) -> None:
    """Set KEY to VALUE in the project's file.

    With --global, set it in your own file for all projects. The rest of the file stays unchanged.
    """
    configuration = config_store()
    configuration.assign(key, value, user=user)
    found = configuration.read()
    stated = found.explicit.get(key)
    if stated is not None and stated.source != str(configuration.file(user=user)):
        console.warning(f"{config.origin(stated)} sets {key}, too, and overrides this value")
    _warn(found)
    if as_json:
        console.data(json.dumps(config.setting_json(found.effective(key)), indent=2))


_UNSET_EXAMPLES: Final = """\b
Examples:
  pivot config unset run.jobs  Use the default again.
"""


@command.command("unset", epilog=_UNSET_EXAMPLES)
@click.argument("key", shell_complete=setting_candidates)
@options.everywhere
@options.as_json
def unset(key: str, *, user: bool, as_json: bool) -> int:
    """Remove KEY from the project's file.

    The exit code is 1 if it is not there. With --global, remove it from your own file. This also works if KEY or its
    value is invalid.
    """
    configuration = config_store()
    removed = configuration.remove(key, user=user)
    found = configuration.read()
    if not removed:
        console.error(f"{key} is not set in {configuration.file(user=user)}")
        stated = found.explicit.get(key)
        if stated is not None:
            console.hint(f"it is set by {config.origin(stated)}")
    _warn(found)
    if as_json:
        now = config.setting_json(found.effective(key)) if keys.find(key) else None
        console.data(json.dumps({"removed": removed, "now": now}, indent=2))
    return 0 if removed else 1


_LIST_EXAMPLES: Final = """\b
Examples:
  pivot config list  Show all settings, and what sets them.
"""


@command.command("list", epilog=_LIST_EXAMPLES)
@options.everywhere
@options.as_json
def show(*, user: bool, as_json: bool) -> int:
    """List all settings with their sources.

    The exit code is 2 if a setting is invalid. With --global, list only your own file.
    """
    found = config_store().read(user=user)
    listed = [setting for setting in found.listed() if not user or setting.name in found.explicit]
    if as_json:
        problems = [config.problem_json(problem) for problem in found.problems]
        plain = {"settings": [config.setting_json(setting) for setting in listed], "problems": problems}
        console.data(json.dumps(plain, indent=2))
    else:
        console.data(config.table(listed))
    for problem in found.problems:
        console.failure(problem)
    for concern in config_warnings(found) if not user else ():
        console.warning(concern)
    return 2 if found.problems else 0


def _warn(found: ResolvedConfig) -> None:
    """Warn about problems of other settings."""
    for problem in found.problems:
        console.warning(str(problem))
    for concern in config_warnings(found):
        console.warning(concern)
