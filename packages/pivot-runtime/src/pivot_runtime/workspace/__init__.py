"""Commands that remove or move recorded files and their records: `pivot forget`, `pivot clean` and `pivot mv`.

They work on lock files and `.pvt` files alone, without importing user code. The commands that restore recorded files,
or start and end the tracking of data, are in `artifacts`.
"""
