"""All that changes while the page is open: files, runs of any terminal, and the command that the page starts.

Threads notice it and tell the `hub`, which passes it on to every tab. Nothing here knows of HTTP.
"""
