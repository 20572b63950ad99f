"""`pivot mcp` as clients start it: the protocol on its streams, stages that it runs, and how it ends."""

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from harness import PIVOT, Project, environment
from mcp import Client, StdioServerParameters, stdio_client

NOISY = """\
import os
import pathlib
import subprocess
import sys
from typing import Annotated

import pivot
from pivot.loaders import Text

print("printed by the import")
os.write(1, b"written by the import\\n")
subprocess.run(["echo", "echoed by the import"], check=True)
sys.stdout.flush()

pipeline = pivot.Pipeline("p")


def helper(text):
    return text.upper()


@pipeline.register
def shout(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Annotated[str, pivot.Out("out.txt", Text())]:
    print("printed by the stage")
    return helper(text)


@pipeline.register
def last(text: Annotated[str, pivot.Dep("out.txt", Text())]) -> Annotated[str, pivot.Out("last.txt", Text())]:
    return text[-1]
"""
LINE = NOISY.splitlines().index("    return text.upper()") + 1
DIFF = f"""\
--- a/pipeline.py
+++ b/pipeline.py
@@ -{LINE} +{LINE} @@
-    return text.upper()
+    return text.lower()
"""
SLOW = """\
pipeline: slow
stages:
  wait:
    cmd: echo $$ > pid.txt && while [ ! -e go ]; do sleep 0.1; done && echo done > done.txt
    outs: [done.txt]
"""
DEADLINE = 300


@pytest.fixture
def noisy(make: Callable[[str], Project]) -> Project:
    project = make(NOISY)
    project.write("in.txt", "hello")
    return project


@pytest.fixture
def slow(empty: Project) -> Project:
    empty.pivot("init")
    empty.write("pivot.yaml", SLOW)
    return empty


@contextlib.asynccontextmanager
async def served(project: Project, *options: str) -> AsyncIterator[Client]:
    """A client of ``pivot mcp``; what that prints to standard error is in ``errors.txt`` beside the project."""
    command = StdioServerParameters(command=str(PIVOT), args=["mcp", *options], cwd=project.root, env=environment())
    with open(project.root.parent / "errors.txt", "w", encoding="utf-8") as errors:  # noqa: ASYNC230  # a log
        async with asyncio.timeout(DEADLINE), Client(stdio_client(command, errlog=errors)) as client:
            yield client


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    text = "".join(getattr(part, "text", "") for part in result.content)
    assert not result.is_error, text
    assert result.structured_content is not None
    answer: dict[str, Any] = result.structured_content
    return answer


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return "".join(getattr(part, "text", "") for part in result.content)


def start(project: Project, *options: str) -> subprocess.Popen[bytes]:
    """The executable, to which a test speaks the protocol itself."""
    return subprocess.Popen(
        [PIVOT, "mcp", *options],
        cwd=project.root,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def message(method: str, number: int | None, **params: Any) -> bytes:
    plain = {"jsonrpc": "2.0", "method": method, "params": params} | ({} if number is None else {"id": number})
    return json.dumps(plain).encode() + b"\n"


def greetings() -> bytes:
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    return message("initialize", 1, **client) + message("notifications/initialized", None)


def is_alive(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110  # it is about other processes
            await asyncio.sleep(0.02)


def test_standard_output_has_the_protocol_alone(noisy: Project) -> None:
    with start(noisy, "--allow-run") as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(greetings())
        calls = [("status", {}), ("run", {}), ("what_would_change", {"diff": DIFF}), ("logs", {"stage": "shout"})]
        answers: list[dict[str, Any]] = []
        for number, (tool, arguments) in enumerate(calls, 2):
            server.stdin.write(message("tools/call", number, name=tool, arguments=arguments))
            server.stdin.flush()
            while not answers or answers[-1].get("id") != number:
                answers.append(json.loads(server.stdout.readline()))
        server.stdin.close()
        rest = server.stdout.read()
        assert server.stderr is not None
        server.stderr.read()
        assert server.wait(DEADLINE) == 0

    assert rest == b""
    results = {each["id"]: each["result"] for each in answers}
    assert [results[number]["isError"] for number in range(2, 6)] == [False] * 4
    assert results[5]["structuredContent"]["text"] == "printed by the stage"


def test_an_assistant_looks_and_changes_nothing(noisy: Project) -> None:
    noisy.pivot("repro")
    before = noisy.snapshot()

    async def talk() -> None:
        async with served(noisy) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert "run" not in tools
            assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools.values())
            assert (await ask(client, "status"))["cached"] == 2
            found = await ask(client, "what_would_change", diff=DIFF)
            assert [each["name"] for each in found["may_change"]] == ["shout", "last"]
            assert "it starts a program" in found["may_change"][0]["reason"]
            assert "make the edit and ask status" in found["hint"]
            new = {"more/pipeline.py": NOISY.replace('"p"', '"q"')}
            assert "'pivot mcp --allow-run' allows that" in await refused(client, "what_would_change", files=new)
            both = await asyncio.gather(ask(client, "explain", stage="last"), ask(client, "graph"))
            assert both[0]["status"] == "cached"
            assert [stage["name"] for stage in both[1]["stages"]] == ["shout", "last"]

    asyncio.run(talk())

    assert noisy.snapshot() == before
    assert (noisy.root.parent / "errors.txt").read_text().count("Traceback") == 0


def test_an_assistant_that_may_not_run_code_asks_what_an_edit_makes_stale(noisy: Project) -> None:
    quiet = NOISY[: NOISY.index("print(")] + NOISY[NOISY.index("pipeline =") :]
    noisy.write("pipeline.py", quiet)
    noisy.pivot("repro")

    async def talk() -> None:
        async with served(noisy) as client:
            code = quiet.replace("text.upper()", "text.lower()")
            found = await ask(client, "what_would_change", files={"pipeline.py": code})
            assert (found["became_stale"], [each["name"] for each in found["may_change"]]) == (["shout"], ["last"])
            change = found["stale_stages"][0]["code_changes"][0]
            assert (change["name"], change["line"]) == (
                "func:helper",
                quiet.splitlines().index("def helper(text):") + 1,
            )
            assert "+    return text.lower()" in change["diff"]
            found = await ask(client, "what_would_change", files={"pipeline.py": f"{quiet}# the end\n"})
            assert (found["became_stale"], found["may_change"], found["cached"]) == ([], [], 2)
            assert "as 'files' instead" in await refused(client, "what_would_change", diff=DIFF)

    asyncio.run(talk())


def test_an_assistant_edits_runs_and_compares(noisy: Project) -> None:
    noisy.pivot("repro")
    said: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        said.append(message or "")

    async def talk() -> None:
        async with served(noisy, "--allow-run") as client:
            found = await ask(client, "what_would_change", diff=DIFF)
            assert found["became_stale"] == ["shout", "last"]
            assert noisy.read("pipeline.py") == NOISY
            noisy.replace("pipeline.py", "text.upper()", "text.lower()")
            assert (await ask(client, "status"))["stale"] == 2
            explained = await ask(client, "explain", stage="shout")
            assert "+    return text.lower()" in explained["code_changes"][0]["diff"]
            done = await client.call_tool("run", {"stages": ["last"]}, progress_callback=note)
            assert done.structured_content is not None
            assert done.structured_content["exit_code"] == 0
            assert {stage["name"]: stage["state"] for stage in done.structured_content["run"]["stages"]} == {
                "shout": "ran",
                "last": "ran",
            }
            assert (await ask(client, "status"))["stale"] == 0

    asyncio.run(talk())

    assert noisy.read("out.txt") == "hello"
    assert said


def test_a_failing_stage_is_an_answer_and_not_an_error(noisy: Project) -> None:
    noisy.replace("pipeline.py", "    return helper(text)", "    raise ValueError('as told')")

    async def talk() -> None:
        async with served(noisy, "--allow-run") as client:
            done = await ask(client, "run", stages=["shout"], only=True)
            assert (done["exit_code"], done["run"]["stages"][0]["state"]) == (1, "failed")
            assert "as told" in done["output"]
            assert (await ask(client, "logs", stage="shout"))["text"] == "printed by the stage"
            refusal = await ask(client, "run", stages=["--watch"])
            assert refusal["exit_code"] == 2

    asyncio.run(talk())


def test_a_cancelled_run_stops_its_stages(slow: Project) -> None:
    pid = slow.root / "pid.txt"

    async def talk() -> None:
        async with served(slow, "--allow-run") as client:
            running = asyncio.ensure_future(client.call_tool("run", {}))
            await until(lambda: pid.exists() and pid.read_text().endswith("\n"))
            assert "a command of this server is running" in await refused(client, "run")
            assert (await ask(client, "logs", stage="wait"))["state"] == "running"
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await until(lambda: not is_alive(int(pid.read_text())))
            assert (await ask(client, "status"))["stale"] == 1
            slow.write("go", "")
            both = await asyncio.gather(client.call_tool("run", {}), client.call_tool("run", {}))
            assert sorted(each.is_error for each in both) == [False, True]

    asyncio.run(talk())

    assert slow.read("done.txt") == "done\n"


@pytest.mark.parametrize("ending", ["input", signal.SIGINT, signal.SIGTERM])
def test_its_end_is_also_that_of_a_run(slow: Project, ending: signal.Signals | str) -> None:
    pid = slow.root / "pid.txt"
    with start(slow, "--allow-run") as server:
        assert server.stdin is not None
        server.stdin.write(greetings() + message("tools/call", 2, name="run", arguments={}))
        server.stdin.flush()
        asyncio.run(until(lambda: pid.exists() and pid.read_text().endswith("\n")))

        if isinstance(ending, signal.Signals):
            server.send_signal(ending)
        else:
            server.stdin.close()

        code = server.wait(DEADLINE)
        assert server.stderr is not None
        said = server.stderr.read().decode()

    assert code == (0 if ending == "input" else 128 + int(ending)), said
    asyncio.run(until(lambda: not is_alive(int(pid.read_text()))))
    assert "Traceback" not in said


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (None, 0)])
def test_it_ends_while_it_waits(slow: Project, sent: signal.Signals | None, code: int) -> None:
    with start(slow) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(greetings())
        server.stdin.flush()
        assert json.loads(server.stdout.readline())["id"] == 1
        if sent is None:
            server.stdin.close()
        else:
            server.send_signal(sent)
        assert server.wait(DEADLINE) == code


def test_outside_of_a_project_it_says_so_at_once(empty: Project) -> None:
    done = empty.pivot("mcp", code=2)

    assert done.stdout == ""
    assert "error: " in done.stderr
    assert os.listdir(empty.root) == []
