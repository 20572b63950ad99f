"""Results and parameters at git revisions and in the workspace, and how they differ, without a checkout.

`revisions` finds what lock files and `.pvt` files record, and the bytes of it; `values`, `differences` and `rows` are
pure. Nothing here runs a stage or changes the workspace; how results are displayed is decided in pivot-cli.
"""
