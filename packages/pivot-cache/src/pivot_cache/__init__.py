"""Bytes by digest, and the files that record runs: the content-addressed cache of Pivot."""
