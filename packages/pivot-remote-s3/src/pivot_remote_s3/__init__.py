"""S3 remotes for the cache of Pivot."""
