"""The graph of ``pivot ui`` in a browser: people find, filter and follow stages, and see a run while it works."""

import json
import pathlib
from collections.abc import Callable

import pytest
from browser import browser
from harness import Project
from ui_browser import opened, served

HOSTILE = "<img src=x onerror='owned=1'>.txt"
SMALL = f"""\
pipeline: p
stages:
  load:
    cmd: cp in.txt loaded.txt
    deps: [in.txt]
    outs: [loaded.txt]
    desc: "</script><script>owned=1</script>"
  strange:
    cmd: cp loaded.txt {json.dumps(HOSTILE)}
    deps: [loaded.txt]
    outs: [{json.dumps(HOSTILE)}]
  fold:
    foreach: [1, 2, 3, 4, 5, 6]
    do: {{cmd: "cp loaded.txt fold${{item}}.txt", deps: [loaded.txt], outs: ["fold${{item}}.txt"]}}
  mean:
    cmd: cat fold1.txt fold2.txt > mean.txt
    deps: [fold1.txt, fold2.txt]
    outs: [mean.txt]
"""
LARGE = """\
pipeline: big
vars: [{{items: {items}}}]
stages:
  one:
    foreach: ${{items}}
    do: {{cmd: "touch one${{item}}", deps: [in.txt], outs: ["one${{item}}"]}}
  two:
    foreach: ${{items}}
    do: {{cmd: "touch two${{item}}", deps: ["one${{item}}"], outs: ["two${{item}}"]}}
"""
CONTRASTS = """() => {
  // The ratio of the colours of each text and of what is behind it, by what WCAG calls relative luminance.
  const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const over = colours => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const linear = part => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, behind = [];
    if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest(".unseen, .skip")) continue;
    for (let at = element; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
    const pair = [over(behind), over([...behind, getComputedStyle(element).color])].map(luminance);
    found.push([(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), texts.currentNode.data]);
  }
  return found;
}"""

ALL_IN_VIEW = """async () => {
  // Whether all nodes are in the window of the graph, once it has had time to move.
  const outside = () => {
    const window = document.querySelector(".surface").getBoundingClientRect();
    return [...document.querySelectorAll(".node")].filter(node => {
      const box = node.getBoundingClientRect();
      return box.left < window.left || box.right > window.right || box.top < window.top || box.bottom > window.bottom;
    }).map(node => node.dataset.id);
  };
  for (let frame = 0; frame < 600 && outside().length; frame++) await new Promise(requestAnimationFrame);
  return outside();
}"""

AT_NODE = """async ({left, top}) => {
  // Where a node at this point of the graph is in the window, once the view has come to rest.
  const layer = document.querySelector(".layer");
  for (let before = null; before !== layer.style.transform; ) {
    before = layer.style.transform;
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  }
  const {a, e, f} = new DOMMatrix(layer.style.transform);
  const {x, y} = document.querySelector(".surface").getBoundingClientRect();
  return {x: x + e + (left + 5) * a, y: y + f + (top + 5) * a, scale: a};
}"""


@pytest.fixture
def small(make: Callable[[str], Project]) -> Project:
    """A project of which one stage has run."""
    project = yaml_project(make, SMALL)
    project.pivot("repro", "p.load")
    return project


def yaml_project(make: Callable[[str], Project], text: str) -> Project:
    project = make("")
    project.root.joinpath("pipeline.py").unlink()
    project.write("pivot.yaml", text)
    project.write("in.txt", "1\n")
    return project


def node(name: str) -> str:
    """The selector of a node that is an element of the page."""
    return f".node[data-id={json.dumps(name)}]"


def test_stages_are_found_filtered_and_opened_with_keys_alone(small: Project) -> None:
    with opened(small) as page:
        page.wait(f"{node('s:p.load')}.tone-cached")
        page.press("/")
        page.type("mean")
        page.wait("[role=option][aria-selected=true]")
        page.press("Enter")
        page.wait(f"{node('s:p.mean')}.current")
        assert page.evaluate("location.hash") == "#/stage/p.mean"
        assert page.evaluate(ALL_IN_VIEW) == []  # though the stage takes half of the window
        page.press("Escape")
        page.wait(".whole")
        page.press("ArrowUp")
        page.wait(f"{node('f:p.fold')}.cursor")
        page.press("a")
        page.wait(".surface[data-nodes='4']")  # in.txt, load, loaded.txt and the folds
        page.press("Escape")
        page.wait(".surface[data-nodes='8']")
        page.press("?")
        page.wait("[role=dialog] >> text=search stages")
        page.press("Escape")
        page.wait("[role=dialog]", "detached")


def test_states_filter_the_graph_and_the_list(small: Project) -> None:
    with opened(small, "#/graph?state=cached") as page:
        page.wait(f"{node('s:p.load')}:not(.dim)")
        page.wait(f"{node('s:p.mean')}.dim")
        page.wait("[role=treeitem][aria-posinset='1'][aria-setsize='1']")
        page.click("[aria-label='Filter by state'] [aria-pressed=true]")
        page.wait(f"{node('s:p.mean')}:not(.dim)")
        page.wait("[role=treeitem][aria-setsize='4']")


def test_families_expand_and_collapse_where_they_are(small: Project) -> None:
    with opened(small) as page:
        page.click(f"{node('f:p.fold')} button")
        page.wait(node("s:p.fold@3"))
        assert page.evaluate("document.querySelectorAll('.node-stage').length") == 9
        page.click("text=Collapse")
        page.wait(f"{node('f:p.fold')} >> text=6")
        page.wait(".node-stage >> nth=3", "detached")


def test_all_of_the_graph_stays_in_view_when_people_come_back_from_another_view(make: Callable[[str], Project]) -> None:
    stages = "".join(f"  {name * 8}: {{cmd: cp in.txt {name}, deps: [in.txt], outs: [{name}]}}\n" for name in "abcde")
    project = yaml_project(make, f"pipeline: p\nstages:\n{stages}")
    chosen = node(f"s:p.{'c' * 8}")
    width = f"document.querySelector({chosen!r}).getBoundingClientRect().width"
    place = f"#/stage/p.{'c' * 8}"
    with opened(project, place) as page:
        page.wait(f"{chosen}.current")
        assert page.evaluate(ALL_IN_VIEW) == []
        before = page.evaluate(width)
        page.go("#/runs")
        page.wait(".surface", "detached")
        page.go(place)
        page.wait(f"{chosen}.current")
        assert page.evaluate(ALL_IN_VIEW) == []
        assert page.evaluate(width) == before


def test_names_are_never_taken_for_parts_of_the_page(small: Project) -> None:
    with opened(small, f"#/artifact?path={HOSTILE.replace('=', '%3D')}") as page:
        page.wait(f".node-artifact.current[data-id={json.dumps('a:' + HOSTILE)}]")
        page.press("/")
        page.type("onerror")
        page.wait(f"[role=option] >> text={HOSTILE}")
        assert page.evaluate("typeof owned") == "undefined"


@pytest.mark.parametrize("dark", [False, True])
def test_texts_stand_out_from_what_is_behind_them(small: Project, dark: bool) -> None:
    with opened(small, dark=dark) as page:
        page.wait(node("s:p.load"))
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 20
        assert [text for ratio, text in contrasts if ratio < 4.5] == []


def test_a_run_of_another_terminal_is_seen_while_it_works(
    make: Callable[[str], Project], tmp_path: pathlib.Path
) -> None:
    gate = tmp_path / "gate"
    command = f"until [ -e {gate} ]; do sleep 0.05; done; cp in.txt out.txt"
    project = yaml_project(
        make, f"pipeline: p\nstages:\n  slow: {{cmd: '{command}', deps: [in.txt], outs: [out.txt]}}\n"
    )
    with opened(project) as page:
        page.wait(f"{node('s:p.slow')}.tone-stale")
        run = project.start("repro")
        try:
            page.wait(f"{node('s:p.slow')}.tone-running")
            page.wait("[role=status]:has-text('has begun')")
        finally:
            gate.touch()
            run.communicate()
        page.wait(f"{node('s:p.slow')}.tone-cached")


def test_a_thousand_stages_are_few_elements_and_each_is_found(make: Callable[[str], Project]) -> None:
    project = yaml_project(make, LARGE.format(items=list(range(500))))
    with opened(project) as page:
        page.wait(".surface[data-nodes='2']")  # two families, with what each reads and writes
        page.click("text=Expand")
        page.wait(".surface[data-nodes='2001']")
        for name in ("one@0", "two@499"):
            page.press("/")
            page.type(name)
            page.press("Enter")
            page.wait(f"{node(f's:big.{name}')}.current")
            assert page.evaluate("document.querySelectorAll('*').length") < 3000


def test_a_link_in_another_page_such_as_a_chat_opens_the_page(small: Project, tmp_path: pathlib.Path) -> None:
    chat = tmp_path / "chat.html"
    with served(small) as link:
        chat.write_text(f'<a href="{link}">see the graph</a>')
        page = browser().open(chat)
        page.click("text=see the graph")
        page.wait(node("s:p.load"))
        assert "token" not in page.evaluate("location.href")
        browser().ask("goto", "about:blank")


def test_a_node_that_is_too_small_to_read_opens_on_a_click(small: Project) -> None:
    with opened(small) as page:
        page.wait(node("s:p.mean"))
        style = f"document.querySelector({json.dumps(node('s:p.mean'))}).style"
        corner = page.evaluate(f"({{left: parseFloat({style}.left), top: parseFloat({style}.top)}})")
        for _ in range(7):
            page.press("-")
        page.wait(".node", "detached")
        point = page.evaluate(f"({AT_NODE})({json.dumps(corner)})")
        browser().ask("mouse.move", point["x"], point["y"])
        page.wait(".surface.over[title='p.mean']")
        browser().ask("mouse.click", point["x"], point["y"])
        page.wait(f"{node('s:p.mean')}.current")


def test_a_drag_that_ends_elsewhere_has_ended(small: Project) -> None:
    with opened(small) as page:
        page.wait(node("s:p.mean"))
        rest = page.evaluate(f"({AT_NODE})({{left: 0, top: 0}})")
        for act, *point in (
            ("move", 700, 600),
            ("down",),
            ("move", 700, 5),
            ("up",),
            ("move", 700, 600),
            ("move", 800, 500),
        ):
            browser().ask(f"mouse.{act}", *point)
        assert page.evaluate(f"({AT_NODE})({{left: 0, top: 0}})") == rest


def test_only_what_leads_to_the_chosen_states_is_shown(small: Project) -> None:
    with opened(small, "#/graph?state=cached") as page:
        page.click("text=Only these")
        page.wait(".surface[data-nodes='2']")  # in.txt and load
        page.click("[aria-label='Filter by state'] [aria-pressed=true]")
        page.wait(".surface[data-nodes='8']")
