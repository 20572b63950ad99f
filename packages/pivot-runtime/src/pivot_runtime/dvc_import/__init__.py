"""`pivot import-dvc`: takes a DVC project over.

The translation of DVC's files is pure: text in, text and leftovers out. Finding the files, hashing their content and
recording it is apart from that. DVC itself is neither imported nor started, and none of its files is changed.
"""
