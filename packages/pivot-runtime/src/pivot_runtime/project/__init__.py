"""The project on disk: its root, its guard, its targets and ignored files, and the projects that share its cache."""
