"""Makes the world match: loads pipelines, runs stages, reports status."""
