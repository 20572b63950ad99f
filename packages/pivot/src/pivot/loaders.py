"""The built-in loaders; each reads and writes."""

from pivot_core.loaders import CSV, JSON, JSONL, YAML, PathOnly, Pickle, Reader, Text, Writer

__all__ = ["CSV", "JSON", "JSONL", "YAML", "PathOnly", "Pickle", "Reader", "Text", "Writer"]
