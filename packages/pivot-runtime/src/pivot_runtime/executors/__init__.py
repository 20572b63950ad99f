"""Ways to execute a stage: through a host process, or in the process of the command.

An executor starts stages and says how each ended. Which stage runs, and what becomes of its outs, is the
runner's.
"""
