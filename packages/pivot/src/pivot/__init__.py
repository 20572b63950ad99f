"""Change your code; Pivot knows what to run. Pipelines of typed Python functions."""
