"""The server: who may ask, what is answered, and the files of the page.

Answers come from `pivot_ui.api`, in threads; the event loop never waits for the project.
"""
