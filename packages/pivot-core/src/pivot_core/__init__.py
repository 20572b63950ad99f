"""Words and decisions of Pivot: stages, artifacts, the graph, and what must run."""
