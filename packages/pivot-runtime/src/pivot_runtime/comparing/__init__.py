"""Results and parameters at git revisions and in the workspace, and how they differ, without a checkout.

`revisions` finds the records in lock files and `.pvt` files, and the recorded bytes; `values`, `series` and `row_diff`
are pure. Nothing here runs a stage or changes the workspace; how results are displayed is decided in pivot-cli.
"""
