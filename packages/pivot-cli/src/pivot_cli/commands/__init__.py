"""One module per command: flags become one call of the engine, its record becomes text or JSON."""
