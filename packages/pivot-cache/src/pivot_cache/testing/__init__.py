"""Helpers for tests in other packages.

`remote_contract` contains the tests for every remote, `batch_contract` those for remotes that move batches;
`power_cut` creates the states that a power cut may leave.
"""
