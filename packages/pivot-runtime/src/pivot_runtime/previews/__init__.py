"""Previews of artifacts for people and programs: one page of a table, the beginning of a text, the size of an image.

Each is made of a bounded number of bytes, whatever the size of the file, and without code of the project: no pickle is
read. How previews are displayed is decided above this package.
"""
