"""Python programs that shell stages start, in any interpreter: the code that they reach, and how runs are observed.

Before a run, `program_code` and `interpreters` follow them from source: nothing is started or imported for that. In a
run, they observe themselves by a start file, which executes `program_observer` with `program_names` there; Pivot
imports neither, and they import nothing of Pivot's. Their records are read by `tracing` and by pivot_fingerprint, like
those of other processes.
"""
