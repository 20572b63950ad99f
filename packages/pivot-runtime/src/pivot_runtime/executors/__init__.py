"""Executors of stages: through a host process, or in the process of the command.

An executor starts stages and reports how each ended. The runner decides which stage runs and stores its outs.
"""
