"""The questions that the page asks, and their answers as plain data.

Each is a function of a `pivot_ui.project.ProjectService` and a `pivot_ui.api.query.Query`, which changes nothing and
may be called in any thread; `routes` lists them. They know nothing of servers. Their shapes are those that ``--json``
has wherever there is one, and are otherwise internal to the page.
"""
