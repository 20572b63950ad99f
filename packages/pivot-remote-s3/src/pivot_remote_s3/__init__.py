"""S3 remotes for the cache of Pivot."""

from pivot_remote_s3.errors import LocationError, S3Error
from pivot_remote_s3.location import S3Location

__all__ = ["LocationError", "S3Error", "S3Location"]
