"""The one Hypothesis profile of all tests; what whoever runs them has set for themselves does not count."""

import os

import hypothesis

os.environ["XDG_CONFIG_HOME"] = os.devnull
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile Pivot anew

hypothesis.settings.register_profile(
    "pivot",
    max_examples=40,  # of each property; the whole suite must stay within minutes
    deadline=None,  # a loaded machine is not a bug
    derandomize="CI" in os.environ,
    database=None if "CI" in os.environ else hypothesis.settings().database,
    # On a fresh checkout the first text strategy builds tables of Unicode, and looks slow.
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
if "TEST_EXAMPLES" in os.environ:
    fewer = int(os.environ["TEST_EXAMPLES"])
    hypothesis.settings.register_profile("pivot", hypothesis.settings.get_profile("pivot"), max_examples=fewer)
hypothesis.settings.load_profile("pivot")
