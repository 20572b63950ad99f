"""The parameters of stages.

This room has the classes that declare them, the values from defaults, files and registrations in layers, and the
overrides of the command line. Reading files and environment variables is in pivot-runtime.
"""
