"""Stage runs on other machines: the task and its answer as data, the project's sources, and the command's side.

The command decides, and writes locks; a worker (`cluster_worker`) runs one stage in a copy of the sources and answers
with digests. How a task gets to a worker is the concern of the packages with entry points in ``pivot.executors``.
"""
