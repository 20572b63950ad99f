"""Definitions of stages as the user wrote them.

``pipeline.py``, ``pivot.yaml``, ``params.yaml`` and shell commands are read here; most of it happens in the host.
"""
