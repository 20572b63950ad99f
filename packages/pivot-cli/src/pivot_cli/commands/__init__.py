"""One module per command: options become one call of pivot-runtime, and its record becomes text or JSON."""
