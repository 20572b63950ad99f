"""Describes the `--json` outputs of commands: writes `docs/reference/json-schemas/` and the page about them.

`nox -s reference` writes them; a test validates what commands really print.
"""

import json
import pathlib
import sys
from collections.abc import Iterator, Mapping
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
PROBLEMS = texts("what could not be read")
HEAP = {"objects": whole("how many"), "size": SIZE}


def _path(**more: Schema) -> Schema:
    return fields(path=text("relative to the root of the project"), **more)


def _change(key: str, **more: Schema) -> Schema:
    facts = {
        key: text("the fact"),
        "reason": text("as in `reasons`"),
        "old": text("its digest or value at the last run", null=True),
        "new": text("the current one", null=True),
    }
    return fields(**facts, **more)


RERUN = nullable(
    fields(
        "the result of running the stage once more, if that was done",
        verdict=text("`same`, `differs` or `failed`"),
        detail=text("what differs"),
        time=number("seconds since 1970"),
    )
)
UNRESOLVED = rows("code that cannot be followed", fields(reason=text("why"), file=FILE, line=LINE))
CODE = fields(
    key=text("kind, module and name"), digest=DIGEST, file=FILE, line=LINE, via=maybe(texts("how it is reached"))
)
EXPLAINED: dict[str, Schema] = {
    "will_run": maybe(flag("whether `repro` would run it; this and all below only with `--explain`")),
    "action": maybe(either("what `repro` would do", "up_to_date", "restore", "run", "blocked", "frozen")),
    "reasons": maybe(texts("all reasons, the most important first")),
    "code_changes": maybe(
        rows(
            "",
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
        f"{kind}_changes": maybe(rows("", _change(key)))
        for kind, key in {"library": "name", "param": "key", "env": "name", "dep": "path", "out": "path"}.items()
    },
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
    state=either("", "done", "not done", "interrupted", "stopped", "running", "died"),
    problem=text("why it ended early, or empty"),
    seconds=number("its duration", null=True),
    counts=table("how many stages ended in which state", whole("")),
    stages=rows(
        "",
        fields(
            name=NAME,
            address=ADDRESS,
            combination=text("the parameters of its combination in a sweep", null=True),
            state=either("", *STATES),
            began=number("seconds since the run began", null=True),
            seconds=number("its duration", null=True),
            reasons=texts("why it ran, the most important first"),
            changes=rows("the facts behind them", fields(reason=text(""), key=text(""))),
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
            phase=either("", "waiting", "loading", "importing", "fetching", "storing", "recording"),
            of=text("the other command, the file or the stage; or empty"),
            began=number("seconds since the run began"),
            seconds=number("its duration", null=True),
            libraries=table("seconds by library", number("")),
        ),
    ),
)
TRANSFER: dict[str, Schema] = {
    "remote": text("its name"),
    "dry_run": DRY_RUN,
    "complete": flag("whether everything is where it should be"),
    "objects": fields(transferred=whole(""), skipped=whole("they were there"), failed=whole(""), missing=whole("")),
    "planned": rows("with `--dry-run`", _path(size=SIZE)),
    "failed": rows("", _path(problem=text("the error"))),
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
    "failed": rows("", _path(problem=text("the error"))),
    "saved": rows("replaced with `--force`, and kept in the cache", _path(digest=DIGEST)),
}


def _show(plural: str, **subject: Schema) -> Schema:
    more = {plural: rows("", fields(**subject, values=table("by revision, then by name", table("", anything("")))))}
    return fields(revisions=texts("`workspace`, or what was named"), **more, problems=PROBLEMS)


def _diff(plural: str, **subject: Schema) -> Schema:
    value = fields(
        name=text("with dots between its parts"),
        old=maybe(anything("absent if there is none")),
        new=maybe(anything("absent if there is none")),
        changed=flag("whether it differs"),
        change=maybe(anything("new minus old, of numbers")),
    )
    more = {plural: rows("those that differ; with `--all`, all", fields(**subject, values=rows("", value)))}
    return fields(
        from_=text("a revision"),
        to=text("a revision"),
        changed=flag("whether a value differs"),
        **more,
        problems=PROBLEMS,
    )


METRIC: dict[str, Schema] = {
    "path": text("the file"),
    "stage": text("the stage that writes it"),
    "edited": flag("whether it was edited since"),
    "stale": flag("whether its stage is stale"),
}
PARAM: dict[str, Schema] = {"stage": NAME}
ARTIFACT = nullable(
    fields("null if it is not there", digest=DIGEST, size=SIZE, directory=flag("whether it is a directory"))
)

OUTPUTS: Mapping[str, tuple[str, Schema]] = {
    "status": (
        "`pivot status --json`",
        fields(
            stages=rows(
                "in the order in which they run",
                fields(
                    name=NAME,
                    address=ADDRESS,
                    status=either("", "cached", "stale"),
                    runs=maybe(either("if it is not run by changes", "always", "never")),
                    reason=text("the main reason, or empty"),
                    not_here=maybe(rows("with `--remote`", _path(where=either("", "cache", "remote", "nowhere")))),
                    **EXPLAINED,
                ),
            ),
            tracked_files=rows(
                "",
                _path(
                    status=either("", "clean", "modified", "missing", "partial", "lost", "other"),
                    size=whole("bytes, if known", null=True),
                    differs=maybe(
                        fields("files in a directory", changed=texts(""), added=texts(""), not_here=texts(""))
                    ),
                    where=maybe(either("with `--remote`", "workspace", "cache", "remote", "nowhere")),
                ),
            ),
            suggestions=texts("sentences for people"),
            remote=maybe(
                fields(
                    "with `--remote`: how many files are where",
                    name=text(""),
                    synced=whole(""),
                    to_push=whole(""),
                    to_fetch=whole(""),
                    missing=whole(""),
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
                "",
                fields(
                    name=NAME,
                    status=either("", "passed", "failed", "unknown"),
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
                "",
                fields(
                    name=NAME,
                    address=ADDRESS,
                    deps=texts("paths"),
                    uncounted=texts("deps whose content does not count"),
                    file_params=table("keys that it reads as parameters, by file", texts("")),
                    outs=rows(
                        "",
                        _path(
                            cache=flag("whether its content is in the cache"),
                            incremental=maybe(flag("whether a run starts from the last content")),
                            temp=maybe(flag("whether it is removed once it was used")),
                            directory=maybe(flag("")),
                            desc=maybe(text("its meaning")),
                            meta=maybe(table("data for the reader", anything(""))),
                        ),
                    ),
                    upstream=texts("addresses of stages whose outs it reads"),
                    file=FILE,
                    line=LINE,
                    desc=text("its purpose, or empty"),
                    meta=maybe(table("data for the reader", anything(""))),
                    after=texts("stages that it runs after"),
                    frozen=flag(""),
                    always=flag(""),
                    ttl=number("seconds for which its result counts", null=True),
                    priority=whole(""),
                    executor=text("`local`, or null", null=True),
                    resources=table("amounts by name", number("")),
                ),
            )
        ),
    ),
    "dag": (
        "`pivot dag --format json`",
        fields(
            nodes=rows(
                "",
                fields(
                    id=text("the address of a stage, or a path"),
                    label=text("as it is shown"),
                    kind=either("", "stage", "artifact"),
                    desc=maybe(text("its purpose")),
                ),
            ),
            edges=rows(
                "",
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
                "",
                fields(
                    name=NAME,
                    address=ADDRESS,
                    entries=rows("what counts as its code", CODE),
                    observed=rows("code that was only seen in its last run", CODE),
                    libraries=rows("", fields(name=text(""), version=text(""), names=texts("what it uses"))),
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
                "",
                fields(
                    id=text("for `pivot apply`; null if it is not recorded", null=True),
                    recorded=text("ISO 8601 in UTC", null=True),
                    seconds=number("how long its stages took", null=True),
                    current=flag("whether it is in the workspace"),
                    stale=texts("what has changed since"),
                    params=table("by name", anything("")),
                    metrics=table("by name", anything("")),
                    stages=texts("addresses"),
                ),
            )
        ),
    ),
    "diff": (
        "`pivot diff --json`; `kind` says which other fields there are",
        {
            **fields(
                path=text(""),
                from_=text("a revision"),
                to=text("a revision"),
                same=flag("whether both are equal"),
                old=ARTIFACT,
                new=ARTIFACT,
                note=maybe(text("why there are no details")),
                kind=either("", "table", "text", "directory", "values", "bytes"),
            ),
            "additionalProperties": True,
        },
    ),
    "transfer": ("`pivot push --json`, `pivot fetch --json`", fields(**TRANSFER)),
    "pull": ("`pivot pull --json`", fields(fetch=fields("", **TRANSFER), checkout=fields("", **CHECKOUT))),
    "checkout": ("`pivot checkout --json`", fields(**CHECKOUT)),
    "track": (
        "`pivot track --json`",
        fields(
            tracked=rows(
                "",
                _path(
                    digest=DIGEST,
                    size=SIZE,
                    directory=flag(""),
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
            removed=rows("", _path(size=SIZE)),
            kept=rows("", _path(reason=text("why"))),
            saved=rows("with `--force`", _path(digest=DIGEST)),
        ),
    ),
    "freeze": (
        "`pivot freeze --json`, `pivot unfreeze --json`",
        fields(changed=texts("addresses"), unchanged=texts("addresses")),
    ),
    "commit": ("`pivot commit --json`", fields(accepted=texts("addresses"), unchanged=texts("addresses"))),
    "config-list": (
        "`pivot config list --json`",
        fields(
            settings=rows(
                "",
                fields(
                    key=text(""),
                    value=anything("the value"),
                    origin=either("", "default", "user", "project", "environment"),
                    source=text("the file or variable", null=True),
                    line=LINE,
                ),
            ),
            problems=maybe(
                rows(
                    "",
                    fields(
                        key=text("", null=True),
                        problem=text(""),
                        hint=text("", null=True),
                        source=text("", null=True),
                        line=LINE,
                    ),
                )
            ),
        ),
    ),
    "remote-list": (
        "`pivot remote list --json`",
        fields(
            remotes=rows(
                "",
                fields(
                    name=text(""),
                    url=text("without secrets"),
                    default=flag(""),
                    origin=text("as in `config list`"),
                    source=text("", null=True),
                    line=LINE,
                ),
            )
        ),
    ),
    "doctor": (
        "`pivot doctor --json`",
        fields(
            findings=rows(
                "",
                fields(
                    level=either("", "ok", "note", "problem"),
                    about=text("what"),
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
                fields(name=text(""), tracked=flag(""), **HEAP, missing=whole("objects that are not here")),
            ),
            others=fields("what nothing here needs", **HEAP),
            runs=whole("run records"),
            trash=fields("", **HEAP, collections=whole("")),
            quarantine=fields("", **HEAP),
            links=table("whether the file system can make them", flag("")),
            projects=texts("others that share the cache"),
        ),
    ),
    "cache-verify": (
        "`pivot cache verify --json`",
        fields(
            good=flag("whether nothing is damaged or missing"),
            certain=flag("whether everything could be read"),
            **HEAP,
            bad=rows("", fields(digest=DIGEST, problem=text(""), quarantined=text("where it is now", null=True))),
            suspect=rows("`--full` reads them", fields(digest=DIGEST, problem=text(""))),
            unreadable=rows("", fields(digest=DIGEST, problem=text(""))),
            missing=texts("digests"),
            foreign=texts("files that are no objects"),
            affected=rows("", _path(stage=text("null for tracked data", null=True), repaired=flag(""))),
            run_again=texts("stages whose outs are lost"),
        ),
    ),
    "cache-gc": (
        "`pivot cache gc --json`",
        fields(
            dry_run=DRY_RUN,
            removed=rows("", fields(digest=DIGEST, size=SIZE)),
            kept=fields("", **HEAP),
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
    "check-ignore": (
        "`pivot check-ignore --json`",
        fields(
            paths=rows(
                "",
                _path(ignored=flag(""), source=text("the file with the pattern"), line=whole(""), pattern=text("")),
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


def _kind(schema: Schema) -> str:
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
