"""Python programs that shell stages start, in any interpreter: how they come to observe themselves, and how they do it.

A start file executes `program_observer` with `program_names` in them; neither is imported here, and neither imports
anything of Pivot's. What they write is read by `tracing` and by pivot_fingerprint, like that of other processes.
"""
