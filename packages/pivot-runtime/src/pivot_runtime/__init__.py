"""The runtime of Pivot: loads pipelines, runs stages, and reports status."""
