"""Links each page of the documentation, and its pictures, into the package whose command `pivot docs` displays it."""

import os
import pathlib

ROOT = pathlib.Path(__file__).parents[2]
PAGES = ROOT / "packages/pivot-cli/src/pivot_cli/docs/pages"


def links() -> dict[pathlib.Path, str]:
    """The place of each link, and its target."""
    wanted = {}
    for page in (ROOT / "docs").rglob("*"):
        if page.suffix in (".md", ".svg"):
            link = PAGES / page.relative_to(ROOT / "docs")
            wanted[link] = os.path.relpath(page, link.parent)
    return wanted


def differing() -> list[str]:
    """The pages whose link is missing or leads elsewhere, and the links without a page."""
    wanted = links()
    found = {path: os.readlink(path) for path in PAGES.rglob("*") if path.is_symlink()}
    return sorted(
        path.relative_to(PAGES).as_posix() for path in {*wanted, *found} if wanted.get(path) != found.get(path)
    )


def write() -> None:
    """Create what is missing, and remove links without a page."""
    wanted = links()
    for name in differing():
        path = PAGES / name
        path.unlink(missing_ok=True)
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(wanted[path])


if __name__ == "__main__":
    write()
