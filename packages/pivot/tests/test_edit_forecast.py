"""A forecast of an edit, without an import of it, is never contradicted by an import of it."""

import pathlib
from collections.abc import Callable, Mapping

import pytest
from harness import Project
from test_edit_preview import EDITS, FILES, PIPELINE, UTILS

from pivot_cli.embedding.contexts import embedded_context
from pivot_runtime.errors import LoadError
from pivot_runtime.inspecting.edit_preview import Edit, EditOptions, EditPreview, preview_edit


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    made = make(PIPELINE)
    for name, text in FILES.items():
        made.write(name, text)
    made.pivot("repro", "--all")
    return made


def foreseen(root: pathlib.Path, files: Mapping[str, str | None], *, imports: bool) -> EditPreview:
    context = embedded_context(root, {"PATH": "/usr/bin:/bin"}, [])
    edit = Edit.of_contents(
        context.project, {name: None if text is None else text.encode() for name, text in files.items()}
    )
    return preview_edit(context, edit, (), EditOptions(all_pipelines=True, quiet=True, imports=imports))


COMMON = (
    *("a helper", "a constant", "an unrelated function", "a comment", "a parameter", "a new file of parameters"),
    *("data", "a helper that moves", "a module of a program", "a command"),
)
HELPER = "def normalize(records):\n"
MORE: Mapping[str, dict[str, str | None]] = {
    "a stage": {"pipeline.py": PIPELINE.replace('raw["records"]', 'list(raw["records"])')},
    "a new helper, with an import": {
        "src/utils.py": "import json\n"
        + UTILS.replace(HELPER, f"def fresh(x):\n    return json.dumps(x)\n\n\n{HELPER}").replace(
            "/ SCALE", "/ len(fresh(SCALE))"
        ),
    },
    "a helper that nothing uses is removed": {"src/utils.py": UTILS.replace("def unrelated():\n    return 1\n", "")},
    "a helper that is used by the import": {
        "pipeline.py": PIPELINE.replace("factor: int = 1", "factor: int = len(normalize([]))")
    },
    "code and data": {"src/utils.py": UTILS.replace("/ SCALE", "* SCALE"), "parts/b/c.txt": "d\n"},
    "no Python": {"src/utils.py": f"{UTILS}oops oops\n"},
    "an out that another stage writes": {"pipeline.py": PIPELINE.replace('"rows.json"', '"columns.json"')},
    "a new module": {"src/zebra_crossing.py": "x = 1\n"},
    "a module in place of another": {"pivot.py": "x = 1\n"},
}
GROUPS = ("became_stale", "still_stale", "became_cached", "added", "removed")


def unexpected(project: Project, edit: Mapping[str, str | None]) -> tuple[EditPreview, list[str]]:
    """The forecast of an edit, and the groups of stages in which an import contradicts it."""
    said = foreseen(project.root, edit, imports=False)
    try:
        truth = foreseen(project.root, edit, imports=True)
    except LoadError:
        return said, [] if len(said.may_change) == 5 else ["it cannot be loaded"]
    certain = [{name for name in getattr(truth, group) if name not in said.may_change} for group in GROUPS]
    return said, [group for group, names in zip(GROUPS, certain, strict=True) if names != set(getattr(said, group))]


def test_an_import_never_contradicts(project: Project) -> None:
    before = project.snapshot()
    found = {
        what: unexpected(project, edit) for what, edit in {**{what: EDITS[what][0] for what in COMMON}, **MORE}.items()
    }

    assert {what: wrong for what, (_, wrong) in found.items() if wrong} == {}
    assert project.snapshot() == before
    sure = {what: set(said.became_stale) for what, (said, _) in found.items() if said.became_stale}
    assert sure["a helper"] == sure["a constant"] == sure["a new helper, with an import"] == {"train"}
    assert sure["a stage"] == {"prepare"}
    assert sure["code and data"] == {"train", "count"}
    assert found["a stage"][0].may_change == {"train": "it depends on prepare, which may write something else"}
    nothing = ("an unrelated function", "a comment", "a helper that nothing uses is removed", "a new module")
    assert [found[what][0].may_change for what in nothing] == [{}] * 4
    assert "`normalize` in src/utils.py may be used" not in str(found["a helper"][0].may_change)
    assert len(found["no Python"][0].may_change) == 5


def test_an_edit_that_may_undo_another_or_lead_to_an_earlier_run(project: Project) -> None:
    edited = UTILS.replace("/ SCALE", "* SCALE")
    project.write("src/utils.py", edited)
    said, wrong = unexpected(project, {"src/utils.py": UTILS})
    assert wrong == []
    assert said.may_change["train"].endswith("the edit of `normalize` in src/utils.py may undo that")

    project.pivot("repro", "--all")
    project.write("src/utils.py", UTILS)
    project.pivot("repro", "--all")
    said, wrong = unexpected(project, {"src/utils.py": edited})
    assert (said.became_stale, wrong) == (("train",), [])


def test_edited_code_is_not_run(project: Project) -> None:
    mark = project.root / "ran"
    evil = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n"
    edits = [
        {"src/utils.py": evil + UTILS},
        {"src/utils.py": UTILS + evil},
        {"pivot.py": evil},
        {"src/__init__.py": evil},
    ]
    for edit in (*edits, {"shell/part.py": evil}, {"conftest.py": evil}, {"sitecustomize.py": evil}):
        foreseen(project.root, edit, imports=False)

    assert not mark.exists()
