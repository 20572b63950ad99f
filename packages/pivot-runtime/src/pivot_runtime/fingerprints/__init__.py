"""The fingerprints of a pipeline's stages, in the process that has imported it.

Here are the stages of one load with what their code depends on, as JSON for the command, and the record of all that
this was read from. The import itself is in `host`; how code is followed is in pivot-fingerprint.
"""
