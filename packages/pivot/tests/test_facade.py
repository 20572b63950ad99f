"""`pivot.loaders` offers the loaders of pivot-loaders without importing them before one is used."""

import subprocess
import sys

import pytest

import pivot
import pivot_loaders


def test_all_loaders_have_one_home_for_users() -> None:
    assert set(pivot.loaders._OF_PIVOT_LOADERS) == set(pivot_loaders.__all__)
    assert {*pivot_loaders.__all__, "JSON"} <= set(dir(pivot.loaders))
    assert pivot.loaders.Npz is pivot_loaders.Npz
    with pytest.raises(AttributeError, match=r"module 'pivot.loaders' has no attribute 'Nonsense'"):
        _ = pivot.loaders.Nonsense  # type: ignore[attr-defined]


def test_a_loader_is_imported_on_first_use() -> None:
    code = (
        "import sys; from pivot import loaders; from pivot.loaders import *\n"
        "assert 'pivot_loaders' not in sys.modules\n"
        "assert loaders.Bytes is vars(loaders)['Bytes']\n"
        "assert 'pivot_loaders.tables' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
