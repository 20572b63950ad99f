"""Describes the `--json` outputs of commands: writes `docs/reference/json-schemas/` and the page about them.

`nox -s reference` writes them; a test validates what commands really print.
"""

import functools
import json
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

REFERENCE = pathlib.Path(__file__).parent.parent / "docs/reference"
OPTIONAL = "x-optional"

type Schema = dict[str, Any]


def _of(kind: str, about: str, *, null: bool = False) -> Schema:
    return {"type": [kind, "null"] if null else kind, "description": about}


def text(about: str, *, null: bool = False) -> Schema:
    """A string."""
    return _of("string", about, null=null)


def whole(about: str, *, null: bool = False) -> Schema:
    """A whole number."""
    return _of("integer", about, null=null)


def number(about: str, *, null: bool = False) -> Schema:
    """A number."""
    return _of("number", about, null=null)


def flag(about: str) -> Schema:
    """True or false."""
    return _of("boolean", about)


def either(about: str, *words: str) -> Schema:
    """One of some strings."""
    return {"enum": list(words), "description": about}


def anything(about: str) -> Schema:
    """Any JSON value."""
    return {"description": about}


def texts(about: str) -> Schema:
    """A list of strings."""
    return {"type": "array", "items": {"type": "string"}, "description": about}


def rows(about: str, item: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": item, "description": about}


def table(about: str, value: Schema) -> Schema:
    """An object with any keys."""
    return {"type": "object", "additionalProperties": value, "description": about}


def fields(about: str = "", /, **found: Schema) -> Schema:
    """An object with exactly these keys; one underscore at the end of a name is no part of it."""
    named = {name.removesuffix("_"): schema for name, schema in found.items()}
    return {
        "type": "object",
        **({"description": about} if about else {}),
        "properties": {name: _plain(schema) for name, schema in named.items()},
        "required": [name for name, schema in named.items() if OPTIONAL not in schema],
        "additionalProperties": False,
    }


def maybe(schema: Schema) -> Schema:
    """A key that is not always there."""
    return schema | {OPTIONAL: True}


def nullable(schema: Schema) -> Schema:
    """An object or null."""
    return schema | {"type": [schema["type"], "null"]}


def _plain(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != OPTIONAL}


ADDRESS = text("its address, `<pipeline>.<stage>`")
NAME = text("its name, with its pipeline if several have it")
SIZE = whole("bytes")
DIGEST = text("32 hexadecimal digits")
LINE = whole("the line, if known", null=True)
FILE = text("the file, if known", null=True)
DRY_RUN = flag("whether nothing was done")
ANY = anything("any value")
PROBLEMS = texts("what could not be read")
HEAP = {"objects": whole("how many"), "size": SIZE}


def _path(**more: Schema) -> Schema:
    return fields(path=text("relative to the root of the project"), **more)


def _change(key: str, **more: Schema) -> Schema:
    facts = {
        key: text("what has changed"),
        "reason": text("as in `reasons`"),
        "old": text("its digest or value at the last run", null=True),
        "new": text("the current one", null=True),
    }
    return fields(**facts, **more)


PLACES = ("cache", "remote", "nowhere")
SETTING: dict[str, Schema] = {
    "key": text("its name"),
    "value": anything("a string, number, boolean, list or null"),
    "origin": either("what sets it", "default", "user", "project", "environment"),
    "source": text("the file or variable", null=True),
    "line": LINE,
}
ARTIFACT_FACTS: dict[str, Schema] = {
    "digest": DIGEST,
    "size": SIZE,
    "directory": flag("whether it is a directory"),
}
SOURCE = {
    "oneOf": [
        {"title": "of a repository"}
        | fields(
            repo=text("the repository"),
            path=text("a path in it"),
            rev=maybe(text("the branch or tag, if one was named")),
            commit=text("the id of the commit"),
        ),
        {"title": "of a URL"}
        | fields(
            url=text("without secrets"),
            etag=maybe(text("as the server says it")),
            modified=maybe(text("as the server says it")),
            size=maybe(whole("bytes, as the server says it")),
        ),
    ],
    "description": "the repository or the URL",
}
IMPORTED = rows(
    "the data",
    _path(
        **ARTIFACT_FACTS,
        changed=flag("whether its content is another one than before"),
        source=SOURCE,
    ),
)
SOURCES = rows(
    "data whose source was asked",
    _path(
        source=SOURCE,
        state=either(
            "`moved` if the source has changed; `unknown` if only a download would show that",
            *("current", "moved", "unknown", "failed"),
        ),
        commit=maybe(text("the current commit, if it is a repository that has changed")),
    ),
)
RERUN = nullable(
    fields(
        "the result of running the stage once more, if that was done",
        verdict=text("`same`, `differs` or `failed`"),
        detail=text("what differs"),
        time=number("seconds since 1970"),
    )
)
UNRESOLVED = rows("code that cannot be followed", fields(reason=text("why"), file=FILE, line=LINE))
CODE: dict[str, Schema] = {"key": text("kind, module and name"), "digest": DIGEST, "file": FILE, "line": LINE}
EXPLAINED: dict[str, Schema] = {
    "file": maybe(text("where it is defined; this and all below only with `--explain`", null=True)),
    "line": maybe(LINE),
    "summary": maybe(text("its state in a few words, as for a line in an editor: `stale: helper normalize changed`")),
    "will_run": maybe(flag("whether `repro` would run it")),
    "action": maybe(either("what `repro` would do", "up_to_date", "restore", "run", "blocked", "frozen")),
    "reasons": maybe(texts("all reasons, the most important first")),
    "code_changes": maybe(
        rows(
            "edits of code",
            _change(
                "key",
                name=text("the key for people"),
                file=FILE,
                line=LINE,
                via=texts("how the stage reaches it"),
                diff=text("the edited lines, with `--diff`", null=True),
            ),
        )
    ),
    **{
        f"{kind}_changes": maybe(rows(f"of {what}", _change(key)))
        for kind, key, what in (
            ("library", "name", "the versions of libraries"),
            ("param", "key", "parameters"),
            ("env", "name", "environment variables that it declares"),
            ("dep", "path", "deps"),
            ("out", "path", "outs"),
        )
    },
    "variable_changes": maybe(
        rows(
            "variables of a `pivot.yaml` that differ from those of the last run, if these are known here",
            fields(
                name=text("its name, with the keys of an item in it"),
                old=text("its value at the last run, as JSON", null=True),
                new=text("the current one", null=True),
                place=text("the file of the current value, and the line if it is known"),
            ),
        )
    ),
    "upstream_always": maybe(texts("stages above it that always run")),
    "upstream_stale": maybe(texts("stages above it that would run, or cannot")),
    "unresolved": maybe(UNRESOLVED),
    "variables_read": maybe(texts("environment variables that it read without declaring them")),
    "rerun": maybe(RERUN),
}
STATES = ("failed", "blocked", "inputs_changed", "interrupted", "running", "ran", "restored", "frozen", "cached")
RUN = fields(
    run=whole("its number"),
    began=text("its start, ISO 8601 in UTC"),
    command=text("the command line, without secrets"),
    state=either("`died` if its process was killed", "done", "not done", "interrupted", "stopped", "running", "died"),
    problem=text("why it ended early, or empty"),
    seconds=number("its duration", null=True),
    counts=table("how many stages ended in which state", whole("how many")),
    stages=rows(
        "those that the run was about",
        fields(
            name=NAME,
            address=ADDRESS,
            combination=text("the parameters of its combination in a sweep", null=True),
            state=either("how it ended, or `running`", *STATES),
            began=number("seconds since the run began", null=True),
            seconds=number("its duration", null=True),
            reasons=texts("why it ran, the most important first"),
            changes=rows("the facts behind them", fields(reason=text("as in `reasons`"), key=text("what had changed"))),
            cpu=number("processor time in seconds", null=True),
            memory=whole("peak memory in bytes", null=True),
            problem=text("the error, or empty"),
            undeclared=texts("files that it used without declaring them"),
            worker=text("the worker of a cluster that ran it", null=True),
        ),
    ),
    phases=rows(
        "what else took time",
        fields(
            phase=either("what the run did", "waiting", "loading", "importing", "fetching", "storing", "recording"),
            of=text("the other command, the file or the stage; or empty"),
            began=number("seconds since the run began"),
            seconds=number("its duration", null=True),
            libraries=table("seconds by library, in an import", number("seconds")),
        ),
    ),
)
TRANSFER: dict[str, Schema] = {
    "remote": text("its name"),
    "dry_run": DRY_RUN,
    "complete": flag("whether everything is where it should be"),
    "objects": fields(
        "how many of them",
        transferred=whole("now there, or would be with `--dry-run`"),
        skipped=whole("were there"),
        failed=whole("could not be transferred"),
        missing=whole("that nobody has"),
    ),
    "planned": rows("with `--dry-run`", _path(size=SIZE)),
    "failed": rows("not transferred", _path(problem=text("the error"))),
    "missing": texts("paths whose content nobody has"),
    "stopped": text("why the transfer ended early", null=True),
    "runs": whole("run records that were transferred"),
}
CHECKOUT: dict[str, Schema] = {
    "dry_run": DRY_RUN,
    "complete": flag("whether every path is as recorded"),
    "files": whole("how many files were restored"),
    "restored": texts("their outs and tracked data"),
    "relinked": whole("how many files were replaced by links or copies"),
    "modified": rows("left as they are", _path(only_here=texts("files that the cache does not have"))),
    "missing": texts("not in the cache"),
    "failed": rows("not restored", _path(problem=text("the error"))),
    "saved": rows("replaced with `--force`, and kept in the cache", _path(digest=DIGEST)),
}


def _show(plural: str, **subject: Schema) -> Schema:
    values = table("by revision", table("by name, with dots; the name of the only value of a file is empty", ANY))
    more = {plural: rows("by file" if plural == "metrics" else "by stage", fields(**subject, values=values))}
    return fields(revisions=texts("`workspace`, or what was named"), **more, problems=PROBLEMS)


def _diff(plural: str, **subject: Schema) -> Schema:
    value = fields(
        name=text("with dots between its parts"),
        old=maybe(anything("absent if there is none")),
        new=maybe(anything("absent if there is none")),
        changed=flag("whether it differs"),
        change=maybe(anything("new minus old, of numbers")),
    )
    more = {plural: rows("those that differ; with `--all`, all", fields(**subject, values=rows("by name", value)))}
    return fields(
        from_=text("a revision"),
        to=text("a revision"),
        changed=flag("whether a value differs"),
        **more,
        problems=PROBLEMS,
    )


METRIC: dict[str, Schema] = {
    "path": text("the file"),
    "stage": text("the address of the stage that writes it"),
    "edited": flag("whether it was edited since"),
    "stale": _of("boolean", "whether its stage is stale; null if only an import would show that", null=True),
}
PARAM: dict[str, Schema] = {"stage": NAME}
ARTIFACT = nullable(fields("null if it is not there", **ARTIFACT_FACTS))
EXAMPLE: dict[str, Schema] = {
    "change": either("what happened to it", "added", "removed", "changed"),
    "key": maybe(table("of the row, by column, if there is a key", ANY)),
    "row": maybe(whole("the number of the row, if there is no key")),
    "old": maybe(table("values by column", ANY)),
    "new": maybe(table("values by column", ANY)),
}
ADDED_OR_GONE: dict[str, Schema] = {"added": whole("how many"), "removed": whole("how many")}
TYPES = fields("types", old=text("in the first"), new=text("in the second"))
DIFF: dict[str, dict[str, Schema]] = {
    "table": {
        "rows": fields("how many", old=whole("in the first"), new=whole("in the second")),
        **ADDED_OR_GONE,
        "changed": whole("how many"),
        "columns_added": texts("their names"),
        "columns_removed": texts("their names"),
        "columns_retyped": table("by name", TYPES),
        "key": texts("the columns that identify a row"),
        "examples": rows("the first rows that differ", fields(**EXAMPLE)),
    },
    "text": {
        **ADDED_OR_GONE,
        "lines": texts("the first of a unified diff"),
        "more": whole("how many lines follow"),
    },
    "directory": {
        **ADDED_OR_GONE,
        "changed": whole("how many"),
        "files": fields("the first of each", added=texts("names"), removed=texts("names"), changed=texts("names")),
    },
    "values": {
        "values": rows(
            "the first that differ",
            fields(
                name=text("with dots"), old=maybe(anything("absent if none")), new=maybe(anything("absent if none"))
            ),
        ),
        "count": whole("how many differ"),
    },
    "bytes": {},
}


def _diff_of(kind: str, more: Mapping[str, Schema]) -> Schema:
    shown = fields(
        path=text("relative to the root of the project"),
        from_=text("a revision"),
        to=text("a revision"),
        same=flag("whether both are equal"),
        old=ARTIFACT,
        new=ARTIFACT,
        note=maybe(text("why there are no details")),
        kind=either("which of the following keys there are", kind),
        **more,
    )
    return {"title": f"`{kind}`", **shown}


OUTPUTS: Mapping[str, tuple[str, Schema]] = {
    "status": (
        "`pivot status --json`",
        fields(
            stages=rows(
                "in the order in which they run",
                fields(
                    name=NAME,
                    address=ADDRESS,
                    status=either("whether `repro` would leave it as it is", "cached", "stale"),
                    runs=maybe(either("if it is not run by changes", "always", "never")),
                    reason=text("the main reason, or empty"),
                    not_here=maybe(rows("with `--remote`", _path(where=either("where it is", *PLACES)))),
                    **EXPLAINED,
                ),
            ),
            tracked_files=rows(
                "tracked data",
                _path(
                    status=either(
                        "compared with its record", "clean", "modified", "missing", "partial", "lost", "other"
                    ),
                    size=whole("bytes, if known", null=True),
                    differs=maybe(
                        fields(
                            "files in a directory",
                            changed=texts("paths in it"),
                            added=texts("paths in it"),
                            not_here=texts("paths in it"),
                        )
                    ),
                    where=maybe(either("with `--remote`", "workspace", *PLACES)),
                ),
            ),
            suggestions=texts("sentences for people"),
            edit=maybe(
                fields(
                    "with `--with-diff`: the status above is that after the edit; the names of stages",
                    files=texts("the edited files, relative to the root of the project"),
                    became_stale=texts("cached now, and stale after the edit"),
                    still_stale=texts("stale now and after the edit"),
                    became_cached=texts("stale now, and cached after the edit"),
                    added=texts("new"),
                    removed=texts("no longer there"),
                )
            ),
            sources=maybe(SOURCES | {"description": "with `--sources`: imported data"}),
            remote=maybe(
                fields(
                    "with `--remote`: how many files are where",
                    name=text("its name"),
                    synced=whole("in the cache and on the remote"),
                    to_push=whole("in the cache alone"),
                    to_fetch=whole("on the remote alone"),
                    missing=whole("in neither"),
                )
            ),
        ),
    ),
    "verify": (
        "`pivot verify --json`",
        fields(
            passed=flag("whether all stages pass"),
            unread=maybe(texts("records that could not be read")),
            missing_tracked=maybe(texts("tracked data that are missing")),
            stages=rows(
                "in the order in which they run",
                fields(
                    name=NAME,
                    status=either("`unknown` if it cannot be checked", "passed", "failed", "unknown"),
                    reason=text("why it did not pass, or empty"),
                    missing_files=texts("paths"),
                    remark=maybe(text("what else is worth knowing")),
                    rerun=maybe(RERUN),
                ),
            ),
        ),
    ),
    "list": (
        "`pivot list --json`",
        fields(
            stages=rows(
                "in the order in which they run",
                fields(
                    name=NAME,
                    address=ADDRESS,
                    deps=texts("paths"),
                    uncounted=texts("deps whose content does not count"),
                    file_params=table("keys that it reads as parameters, by file", texts("keys")),
                    outs=rows(
                        "what it writes",
                        _path(
                            cache=flag("whether its content is in the cache"),
                            incremental=maybe(flag("whether a run starts from the last content")),
                            temp=maybe(flag("whether it is removed once it was used")),
                            directory=maybe(flag("whether it is a directory")),
                            desc=maybe(text("its meaning")),
                            meta=maybe(table("data for the reader", ANY)),
                        ),
                    ),
                    upstream=texts("addresses of stages whose outs it reads"),
                    file=FILE,
                    line=LINE,
                    desc=text("its purpose, or empty"),
                    meta=maybe(table("data for the reader", ANY)),
                    after=texts("stages that it runs after"),
                    frozen=flag("whether it never runs"),
                    always=flag("whether it runs each time"),
                    ttl=number("seconds for which its result counts", null=True),
                    priority=whole("stages with a higher one begin first"),
                    executor=text("`local`, or null", null=True),
                    resources=table("amounts by name", number("amount")),
                ),
            )
        ),
    ),
    "list-untracked": (
        "`pivot list --untracked --json`",
        fields(untracked=rows("by path", _path(in_git=flag("whether git tracks it")))),
    ),
    "dag": (
        "`pivot dag --format json`",
        fields(
            nodes=rows(
                "in the order in which they run",
                fields(
                    id=text("the address of a stage, or a path"),
                    label=text("as it is shown"),
                    kind=either("what it is", "stage", "artifact"),
                    desc=maybe(text("its purpose")),
                ),
            ),
            edges=rows(
                "from what is read to its reader",
                fields(
                    from_=text("an `id`"),
                    to=text("an `id`"),
                    order_only=maybe(flag("true if no file passes")),
                ),
            ),
        ),
    ),
    "fingerprint": (
        "`pivot fingerprint --json`",
        fields(
            stages=rows(
                "in the order in which they run",
                fields(
                    name=NAME,
                    address=ADDRESS,
                    entries=rows("what counts as its code", fields(**CODE, via=texts("how it is reached"))),
                    observed=rows("code that was only seen in its last run", fields(**CODE)),
                    libraries=rows(
                        "that it uses",
                        fields(name=text("the distribution"), version=text("as installed"), names=texts("of modules")),
                    ),
                    unresolved=UNRESOLVED,
                ),
            )
        ),
    ),
    "history": ("`pivot history --json`", fields(runs=rows("the newest first, each as `pivot show` prints it", RUN))),
    "show": ("`pivot show --json`", RUN),
    "metrics-show": ("`pivot metrics show --json`", _show("metrics", **METRIC)),
    "metrics-diff": ("`pivot metrics diff --json`", _diff("metrics", **METRIC)),
    "params-show": ("`pivot params show --json`", _show("params", **PARAM)),
    "params-diff": ("`pivot params diff --json`", _diff("params", **PARAM)),
    "results": (
        "`pivot results --json`",
        fields(
            results=rows(
                "the oldest first",
                fields(
                    id=text("for `pivot apply`; null if it is not recorded", null=True),
                    recorded=text("ISO 8601 in UTC", null=True),
                    seconds=number("how long its stages took", null=True),
                    current=flag("whether it is in the workspace"),
                    stale=texts("what has changed since"),
                    params=table("by name", ANY),
                    metrics=table("by name", ANY),
                    stages=texts("addresses"),
                ),
            )
        ),
    ),
    "diff": (
        "`pivot diff --json`; `kind` says which keys there are",
        {"type": "object", "oneOf": [_diff_of(kind, more) for kind, more in DIFF.items()]},
    ),
    "transfer": ("`pivot push --json`, `pivot fetch --json`", fields(**TRANSFER)),
    "pull": ("`pivot pull --json`", fields(fetch=fields("", **TRANSFER), checkout=fields("", **CHECKOUT))),
    "checkout": ("`pivot checkout --json`", fields(**CHECKOUT)),
    "checkout-kept": (
        "`pivot checkout --kept --json`; without TARGETS",
        fields(
            kept=rows(
                "saved files, the newest first",
                _path(
                    **ARTIFACT_FACTS,
                    time=number("seconds since 1970"),
                    command=text("which command replaced it"),
                ),
            )
        ),
    ),
    "checkout-kept-restored": (
        "`pivot checkout --kept TARGETS --json`",
        fields(restored=rows("in the order of the arguments", _path(files=whole("how many")))),
    ),
    "track": (
        "`pivot track --json`",
        fields(
            tracked=rows(
                "in the order of the arguments",
                _path(
                    **ARTIFACT_FACTS,
                    new=flag("whether it was not tracked before"),
                    changed=flag("whether its content has changed"),
                    dropped=texts("files that a directory no longer has"),
                ),
            )
        ),
    ),
    "clean": (
        "`pivot clean --json`",
        fields(
            dry_run=DRY_RUN,
            removed=rows("outs", _path(size=SIZE)),
            kept=rows("outs", _path(reason=text("why"))),
            saved=rows("their content was nowhere else, with `--force`", _path(digest=DIGEST)),
        ),
    ),
    "freeze": (
        "`pivot freeze --json`, `pivot unfreeze --json`",
        fields(changed=texts("addresses"), unchanged=texts("addresses")),
    ),
    "commit": ("`pivot commit --json`", fields(accepted=texts("addresses"), unchanged=texts("addresses"))),
    "config-get": (
        "`pivot config get --json`, `pivot config set --json`; `set` prints the setting that counts now",
        fields(**SETTING),
    ),
    "config-unset": (
        "`pivot config unset --json`",
        fields(
            removed=flag("whether it was there"),
            now=nullable(fields("the setting that counts now; null if no setting has this name", **SETTING)),
        ),
    ),
    "config-list": (
        "`pivot config list --json`",
        fields(
            settings=rows(
                "by name",
                fields(**SETTING),
            ),
            problems=rows(
                "what is wrong in the files and variables",
                fields(
                    key=text("the setting, if known", null=True),
                    problem=text("the error"),
                    hint=text("what to do", null=True),
                    source=text("the file or variable", null=True),
                    line=LINE,
                ),
            ),
        ),
    ),
    "import": (
        "`pivot import --json`, `pivot import-url --json`",
        fields(imported=IMPORTED),
    ),
    "update": (
        "`pivot update --json`",
        fields(
            dry_run=DRY_RUN,
            checked=SOURCES,
            updated=IMPORTED,
            failed=rows("not updated", _path(problem=text("the error"))),
        ),
    ),
    "import-dvc": (
        "`pivot import-dvc --json`",
        fields(
            dry_run=DRY_RUN,
            root=text("the directory of the project, absolute"),
            files=rows("written", _path(from_=text("the file of DVC's"))),
            data=texts("paths of the data that are tracked now"),
            objects=fields("copied from DVC's cache", copied=whole("how many"), size=SIZE),
            stages=fields(
                "by what the next `repro` does",
                cached=texts("names of stages that do not run"),
                stale=rows("those that run", fields(stage=text("its name"), reason=text("why"))),
            ),
            leftovers=rows(
                "what is not carried, or works differently",
                fields(
                    where=text("file and line"),
                    problem=text("what it is"),
                    remedy=maybe(text("what to do; absent if nothing")),
                ),
            ),
        ),
    ),
    "import-pivot": (
        "`pivot import-pivot --json`",
        fields(
            data=rows(
                "the `.pvt` files of that time",
                fields(
                    file=text("relative to the root of the project"),
                    outcome=either(
                        "`tracked` and `restored` data are tracked now",
                        *("tracked", "restored", "changed", "absent", "unreadable", "refused"),
                    ),
                    kept=flag("whether its data are tracked now"),
                    problem=text("the error, if there is one", null=True),
                ),
            ),
            locks=rows(
                "the lock files of that time",
                fields(
                    file=text("relative to the root of the project"),
                    stage=text("its name"),
                    outs=whole("how many it records"),
                    current_outs=whole("how many of these are here as recorded"),
                ),
            ),
        ),
    ),
    "plots": (
        "`pivot plots show --json`, `pivot plots diff --json`",
        fields(
            revisions=texts("`workspace`, or what was named"),
            plots=rows(
                "by path",
                _path(
                    stage=NAME,
                    stale=METRIC["stale"],
                    spec=nullable(table("a specification of Vega-Lite; null for images", ANY)),
                    images=nullable(table("by revision, as a `data:` URL; null for series", text("a URL"))),
                    problems=texts("what cannot be drawn, and why"),
                ),
            ),
        ),
    ),
    "remote-list": (
        "`pivot remote list --json`",
        fields(
            remotes=rows(
                "by name",
                fields(
                    name=text("its name"),
                    url=text("without secrets"),
                    default=flag("whether commands use it without `--remote`"),
                    **{key: SETTING[key] for key in ("origin", "source", "line")},
                ),
            )
        ),
    ),
    "doctor": (
        "`pivot doctor --json`",
        fields(
            findings=rows(
                "what was looked at",
                fields(
                    level=either("`problem` ends the command with 1", "ok", "note", "problem"),
                    about=text("its subject"),
                    text=text("the finding"),
                    hint=text("what to do", null=True),
                    docs=text("the page about it, for `pivot docs`", null=True),
                ),
            )
        ),
    ),
    "cache-status": (
        "`pivot cache status --json`",
        fields(
            directory=text("absolute"),
            **HEAP,
            shares=rows(
                "by stage and tracked path",
                fields(
                    name=text("an address, or a tracked path"),
                    tracked=flag("whether it is tracked data"),
                    **HEAP,
                    missing=whole("objects that are not here"),
                ),
            ),
            others=fields("what nothing here needs", **HEAP),
            runs=whole("run records"),
            trash=fields(
                "what `pivot cache gc` has removed", **HEAP, collections=whole("times that something was removed")
            ),
            quarantine=fields("damaged objects", **HEAP),
            links=fields(
                "whether the file system of the cache can make them",
                reflink=flag("copies that share blocks"),
                hardlink=flag("several names of one file"),
                symlink=flag("symbolic links"),
            ),
            projects=texts("others that share the cache"),
        ),
    ),
    "cache-verify": (
        "`pivot cache verify --json`",
        fields(
            good=flag("whether nothing is damaged or missing"),
            certain=flag("whether everything could be read"),
            **HEAP,
            bad=rows(
                "damaged objects",
                fields(digest=DIGEST, problem=text("the damage"), quarantined=text("where it is now", null=True)),
            ),
            suspect=rows("`--full` reads them", fields(digest=DIGEST, problem=text("what is odd"))),
            unreadable=rows("could not be checked", fields(digest=DIGEST, problem=text("the error"))),
            missing=texts("digests"),
            foreign=texts("files that are no objects"),
            affected=rows(
                "outs and tracked data with such objects",
                _path(
                    stage=text("its address; null for tracked data", null=True),
                    repaired=flag("whether the cache has all of it now"),
                ),
            ),
            run_again=texts("stages whose outs are lost"),
        ),
    ),
    "cache-gc": (
        "`pivot cache gc --json`",
        fields(
            dry_run=DRY_RUN,
            removed=rows("moved to the trash", fields(digest=DIGEST, size=SIZE)),
            kept=fields("needed", **HEAP),
            recent=texts("digests of objects that changed meanwhile"),
            runs=whole("run records that were removed"),
            released=texts("results of which only parameters and metrics are left"),
            spared=fields("not needed, but kept", **HEAP),
            returned=texts("digests that came back from the trash"),
            deleted=fields("from the trash", **HEAP),
            unlisted=texts("directories whose listing is missing"),
            projects=texts("others that share the cache"),
            skipped=texts("what could not be read"),
        ),
    ),
    "cache-gc-undo": (
        "`pivot cache gc --undo --json`",
        fields(
            returned=texts("digests of objects that came back from the trash"),
            runs=whole("run records that came back"),
        ),
    ),
    "remote-gc": (
        "`pivot remote gc --json`",
        fields(
            remote=text("its name"),
            dry_run=DRY_RUN,
            objects=rows("that nothing needs", fields(digest=DIGEST, size=SIZE)),
            needed=whole("how many objects stay since something needs them"),
            young=whole("how many stay since they are too young"),
            deleted=whole("how many were deleted"),
            failed=rows("not deleted", fields(digest=DIGEST, problem=text("the error"))),
        ),
    ),
    "warm-status": (
        "`pivot warm status --json`",
        fields(
            warm=flag("the setting"),
            state=either(
                "`starting` while it imports, `silent` if it cannot be used", "waiting", "starting", "silent", "none"
            ),
            pid=whole("the process", null=True),
            idle_seconds=number("since its last command", null=True),
            commands=whole("how many use it now"),
            libraries=texts("those that it has imported"),
            reason=text("why there is none, or why it cannot be used; or empty"),
        ),
    ),
    "warm-stop": (
        "`pivot warm stop --json`",
        fields(pid=whole("the process that was ended; null if there was none", null=True)),
    ),
    "check-ignore": (
        "`pivot check-ignore --json`",
        fields(
            paths=rows(
                "in the order of the arguments",
                _path(
                    ignored=flag("whether Pivot ignores it"),
                    source=text("the file with the pattern, or empty"),
                    line=whole("the line with the pattern, or 0"),
                    pattern=text("the last pattern that matches, or empty"),
                ),
            )
        ),
    ),
    "forget": (
        "`pivot forget --json`",
        fields(
            dry_run=DRY_RUN,
            forgotten=texts("addresses"),
            runs=whole("run records that were removed"),
            shared_runs=whole("those that other projects may need"),
            unrecorded=texts("addresses of stages without a record"),
        ),
    ),
}

PAGE = """# JSON outputs

A command with `--json` prints one JSON object on stdout, in UTF-8, and nothing else there; progress, notes and errors
go to stderr. Each output below has a [JSON Schema](https://json-schema.org), and the tests validate what the commands
print against it. Keys may be added in later versions: ignore those that you do not know. A key with a `?` is not always
there. The lines of `--jsonl` are [events](events.md).

Paths are relative to the root of the project, sizes are in bytes, durations in seconds. Numbers that JSON does not have
are the texts `NaN`, `Infinity` and `-Infinity`.

A command whose answer is no, with [exit code](exit-codes.md) 1, prints its object all the same: what failed or is
missing is in it. A command that ends before it has an answer prints nothing on stdout, and an `error:` on stderr:
with a wrong option or configuration, a pipeline that cannot be loaded, a revision that does not exist, content that
nobody has, or a remote that does not answer. So parse stdout if it is not empty, and decide by the exit code.

`pivot show --format chrome-trace` prints a trace for Perfetto, in the format of Chrome. The schema of a `pivot.yaml` is
[`pivot-yaml.schema.json`](pivot-yaml.schema.json).
"""


def page() -> str:
    """The page that lists all outputs."""
    parts = [PAGE]
    for name, (commands, schema) in OUTPUTS.items():
        title, _, note = commands.partition("; ")
        parts.append(f"\n## {title.replace('`, `', '` and `')}\n\n")
        parts.append(
            f"[`{name}.schema.json`](json-schemas/{name}.schema.json)" + (f"; {note}" if note else "") + "\n\n"
        )
        parts.append("| key | value | meaning |\n|---|---|---|\n")
        parts += [f"| `{path}` | {kind} | {about} |\n" for path, kind, about in _lines(schema, "")]
    return "".join(parts)


def _lines(schema: Schema, prefix: str) -> Iterator[tuple[str, str, str]]:
    if "oneOf" in schema:
        yield from _lines_of_one(schema["oneOf"], prefix)
    required = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        path = f"{prefix}{name}{'' if name in required else '?'}"
        yield path, _kind(each), each.get("description", "")
        inner, suffix = each, ""
        while True:
            if "items" in inner:
                inner, suffix = inner["items"], f"{suffix}[]"
            elif isinstance(inner.get("additionalProperties"), dict):
                inner, suffix = inner["additionalProperties"], f"{suffix}.*"
            else:
                break
        yield from _lines(inner, f"{path}{suffix}.")


def _lines_of_one(variants: Sequence[Schema], prefix: str) -> Iterator[tuple[str, str, str]]:
    """The lines of keys that all variants have, and then those of each alone, which its title introduces."""
    every = functools.reduce(
        lambda names, each: names & each["properties"].keys(), variants, variants[0]["properties"].keys()
    )
    for number, variant in enumerate(variants):
        for path, kind, about in _lines(variant, prefix):
            name = re.split(r"[?.\[]", path.removeprefix(prefix))[0]
            if name not in every:
                yield path, kind, f"{variant['title']}: {about}" if _is_top(path, prefix) else about
            elif number == 0:
                yield (
                    path,
                    ", ".join(_kind(each["properties"][name]) for each in variants) if name == "kind" else kind,
                    about,
                )


def _is_top(path: str, prefix: str) -> bool:
    return re.search(r"[.\[]", path.removeprefix(prefix)) is None


def _kind(schema: Schema) -> str:
    if "oneOf" in schema:
        return "object"
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    kinds = schema.get("type", "any value")
    names = [kinds] if isinstance(kinds, str) else kinds
    if names == ["array"]:
        inner = schema["items"].get("type", "object")
        return f"list of {'strings' if inner == 'string' else 'objects'}"
    return " or ".join(names)


def _open(schema: Any) -> Any:
    """A schema for users, which allows keys of later versions."""
    if isinstance(schema, dict):
        return {key: _open(value) for key, value in schema.items() if (key, value) != ("additionalProperties", False)}
    return [_open(each) for each in schema] if isinstance(schema, list) else schema


def files() -> dict[pathlib.Path, str]:
    """The text of each file."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    found = {REFERENCE / "json-schemas.md": page()}
    for name, (commands, schema) in OUTPUTS.items():
        title = {"title": commands.partition("; ")[0].replace("`", "")}
        found[REFERENCE / f"json-schemas/{name}.schema.json"] = (
            json.dumps(head | title | _open(schema), indent=2) + "\n"
        )
    return found


def main() -> int:
    """Write all; with `--check`, only report which files differ."""
    check = sys.argv[1:] == ["--check"]
    changed = [path for path, wanted in files().items() if not path.exists() or path.read_text() != wanted]
    for path in changed if not check else ():
        path.parent.mkdir(exist_ok=True)
        path.write_text(files()[path])
    sys.stdout.write("".join(f"{path.name} has changed\n" for path in changed))
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
