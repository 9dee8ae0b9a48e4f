"""Every tab for everybody: axe finds nothing to mend in either theme, and the keyboard alone reaches every control."""

from pathlib import Path

import pytest

from tests.browser.conftest import open_tab

pytestmark = pytest.mark.browser

GRADIOS: set[tuple[str, str]] = set()
"""(rule, part of the node's HTML) of what Gradio's own components do wrong. May only become shorter."""

RUN = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.flatMap((found) =>
  found.nodes.map((node) => ({rule: found.id, impact: found.impact, html: node.html, where: node.target.join(' ')})))"""

REACHABLE = """() => [...document.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex="-1"])')].filter((node) =>
  !node.disabled && node.tabIndex >= 0 && node.offsetParent !== null && !node.closest('[inert], [aria-hidden=true]') &&
  getComputedStyle(node).visibility === 'visible' && node.getClientRects().length)"""

MARK = f"""() => {{ const all = ({REACHABLE})(); all.forEach((node, at) => node.dataset.reach = at);
  return new Set(all.map((node) => node.type === 'radio' ? node.name : node)).size }}"""  # Tab stops once in a group
LEFT = f"""(reached) => {{
  const names = new Set(reached.map((at) => document.querySelector(`[data-reach="${{at}}"]`)?.name));
  return ({REACHABLE})().filter((node) => node.dataset.reach && !reached.includes(node.dataset.reach) &&
    !(node.type === 'radio' && names.has(node.name))).map((node) => node.outerHTML.slice(0, 160)) }}"""


def tabs_of(page):
    """The tabs that the strip leads to."""
    return page.eval_on_selector_all("#strip a[data-tab]", "links => links.map((link) => link.dataset.tab)")


def unfold(page, tab):
    """Open a tab with all that it keeps folded, and wait until it stops changing for a moment."""
    open_tab(page, tab)
    settle(page)
    folded = page.locator(f"#tab-{tab} button.label-wrap:not(.open):visible")
    for _ in range(folded.count()):
        folded.first.click()
    page.eval_on_selector_all(f"#tab-{tab} details", "all => all.forEach((one) => one.open = true)")
    settle(page)


def settle(page):
    """Wait until the page stops changing for a moment."""
    page.wait_for_function(
        """() => { const size = document.body.innerHTML.length, now = performance.now();
          if (window.lastSize !== size) { window.lastSize = size; window.lastChange = now }
          return now - window.lastChange > 700 }""",
        timeout=60_000,
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_on_any_tab(serve, new_page, workspace, dark):
    axe = Path(pytest.importorskip("axe_playwright_python").__file__).parent / "axe.min.js"
    page = new_page(serve(workspace), dark=dark)
    page.add_script_tag(path=axe)
    left, excused = [], set()
    for tab in tabs_of(page):
        unfold(page, tab)
        for found in page.evaluate(RUN):
            excuse = {one for one in GRADIOS if one[0] == found["rule"] and one[1] in found["html"]}
            excused |= excuse
            if not excuse:
                left.append(f"{tab}: {found['rule']} ({found['impact']}) {found['where']}\n    {found['html'][:200]}")
    assert not left, "\n".join(left)
    assert excused == GRADIOS, "Gradio does these right now: take them off the list."


def test_the_keyboard_alone_reaches_every_control(serve, new_page, workspace):
    page = new_page(serve(workspace))
    for tab in tabs_of(page):
        unfold(page, tab)
        for _ in range(3):  # a page at work may have taken a control away while the focus came by
            left = not_reached(page)
            if not left:
                break
            settle(page)
        assert not left, f"{tab}: not reached by Tab:\n" + "\n".join(left)


def not_reached(page) -> list[str]:
    """The controls of the page that Tab, pressed again and again, did not come to."""
    number = page.evaluate(MARK)
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(3 * number + 100):  # a page may make controls meanwhile; one that traps the focus runs out of it
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.reach ?? null"))
        if len(reached - {None}) == number:
            break
    left = page.evaluate(LEFT, [at for at in reached if at is not None])
    page.evaluate("document.querySelectorAll('[data-reach]').forEach((node) => delete node.dataset.reach)")
    return left
