"""Definitions of stages as the user wrote them.

This room reads ``pipeline.py``, ``pivot.yaml``, ``params.yaml`` and shell commands, mostly in the host.
"""
