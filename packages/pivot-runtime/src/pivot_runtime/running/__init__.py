"""Runs: `pivot repro`, `run`, `commit` and `--watch`.

The runner decides, restores and runs stages, takes in their outs and writes their locks. How a stage is executed
is in `executors`; commands that change nothing are in `inspecting`.
"""
