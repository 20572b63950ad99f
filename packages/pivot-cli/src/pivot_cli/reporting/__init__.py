"""Reports of commands while they work.

Lines and the live view of a run, JSON Lines for programs, progress of transfers, notices. The texts of finished
results are in `views`.
"""
