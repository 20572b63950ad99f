"""`pivot schema`."""

from typing import Final

import click

from pivot_cli.terminal import console
from pivot_core.pivot_yaml import schema

_EXAMPLES: Final = """\b
Examples:
  pivot schema > pivot-yaml.schema.json  Write it to a file for your editor.
"""


@click.command("schema", epilog=_EXAMPLES)
def command() -> int:
    """Print the JSON Schema of pivot.yaml.

    Editors that support it complete and check the file while you write it.
    """
    console.data(schema.text())
    return 0
