"""Checks for outs: ``Out(..., check=pivot.checks.not_empty)``."""

from pivot_core.stages.checks import CheckError, Schema, not_empty, schema

__all__ = ["CheckError", "Schema", "not_empty", "schema"]
