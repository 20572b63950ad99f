"""`pivot.loaders` offers the loaders of pivot-loaders without importing them before one is used."""

import subprocess
import sys
import traceback

import pytest

import pivot
import pivot_loaders


def test_all_loaders_have_one_home_for_users() -> None:
    assert set(pivot.loaders.OF_PIVOT_LOADERS) == set(pivot_loaders.__all__)
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


def test_names_that_users_guess() -> None:
    with pytest.raises(AttributeError, match=r"'PathOnly': it is pivot\.loaders\.PathOnly$"):
        _ = pivot.PathOnly  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"'Parquet': it is pivot\.loaders\.Parquet$"):
        _ = pivot.Parquet  # type: ignore[attr-defined]
    for module, wrong, right in [(pivot, "Metrik", "Metric"), (pivot.loaders, "Parket", "Parquet")]:
        with pytest.raises(AttributeError) as raised:
            getattr(module, wrong)
        assert traceback.format_exception_only(raised.value)[-1].endswith(f"Did you mean: '{right}'?\n")
