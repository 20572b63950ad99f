"""``python -m pivot_cli``: the command line."""

from pivot_cli.main import main

main()
