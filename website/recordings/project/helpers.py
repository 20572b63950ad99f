"""Helpers of several stages."""

type Rows = list[dict[str, float]]


def scale(rows: Rows, columns: list[str]) -> Rows:
    """Bring columns to the range from 0 to 1."""
    highest = {name: max(row[name] for row in rows) for name in columns}
    scaled = ({name: row[name] / highest[name] for name in columns} for row in rows)
    return [row | new for row, new in zip(rows, scaled, strict=True)]
