"""Observation of what a stage's process uses: files, environment variables and programs.

An audit hook, a recording `os.environ` and strace collect it; `undeclared` compares the files with the declarations.
Which code runs is observed by pivot_fingerprint.
"""
