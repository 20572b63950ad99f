"""Observation of what a stage's process uses: files, environment variables and programs.

An audit hook, a recording `os.environ` and strace collect it; `undeclared` compares it with the declarations.
"""
