"""Helpers for tests in other packages.

`executor_contract` contains the tests for every executor.
"""
