"""`pivot schema`."""

import click

from pivot_cli.terminal import console
from pivot_core.pivot_yaml import schema


@click.command("schema")
def command() -> int:
    """Print the JSON Schema of pivot.yaml.

    Editors that support it complete and check the file while you write it.
    """
    console.data(schema.text())
    return 0
