"""Creation of objects on S3.

This room has uploads that never replace an object, and those of large objects in parts, with the state from which a
later process resumes them. The remote decides which objects are uploaded.
"""
