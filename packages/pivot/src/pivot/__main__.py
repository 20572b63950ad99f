"""``python -m pivot``: the command line."""

from pivot_cli.main import main

main()
