"""Python programs that shell stages start, in any interpreter, and the start file by which they observe themselves.

The start file executes `program_observer` with `program_names` there; Pivot imports neither, and they import nothing of
Pivot's. Their records are read by `tracing` and by pivot_fingerprint, like those of other processes.
"""
