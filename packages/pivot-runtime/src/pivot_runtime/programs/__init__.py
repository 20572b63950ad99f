"""Python programs that shell stages start, in any interpreter: the code that they reach, and how runs are observed.

Before a run, `program_code` and `interpreters` follow them from source: nothing is started or imported for that. In a
run, they observe themselves by the start file of pivot_fingerprint. Their records are read by `tracing` and by
pivot_fingerprint, like those of other processes.
"""
