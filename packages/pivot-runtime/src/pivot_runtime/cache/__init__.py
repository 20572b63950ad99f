"""The cache of a project: its open stores and the projects that share it."""
