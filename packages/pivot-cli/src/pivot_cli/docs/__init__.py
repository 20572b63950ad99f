"""The documentation that comes with the package: its topics, and the ways to read a page without a network.

The pages are those of `docs/` in the repository: `nox -s reference` links each of them into `pages`, and a wheel has
copies. Commands on results of a project have their pages elsewhere, in `pivot_cli.pages`.
"""
