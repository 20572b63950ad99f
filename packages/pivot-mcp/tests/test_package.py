from importlib.metadata import entry_points


def test_the_command_line_finds_the_app_by_its_entry_point() -> None:
    entries = entry_points(group="pivot.apps", name="mcp")

    assert [entry.value for entry in entries] == ["pivot_mcp.serve:serve"]
