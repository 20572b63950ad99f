"""The project on disk: its root, its guard, its targets and ignored files."""
