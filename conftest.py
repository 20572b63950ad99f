"""The one Hypothesis profile of all tests."""

import os

import hypothesis

hypothesis.settings.register_profile(
    "pivot",
    deadline=None,  # a loaded machine is not a bug
    derandomize="CI" in os.environ,
    database=None if "CI" in os.environ else hypothesis.settings().database,
    # On a fresh checkout the first text strategy builds tables of Unicode, and looks slow.
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("pivot")
