"""Whole projects from the sidebar: import, duplicate, export, delete, back up and restore."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import findings
from tests.browser.lab import Lab
from tests.browser.waiting import next_frame, until
from tests.support.live_server import LiveServer

PLUGINS = Path(__file__).parents[2] / "labextension" / "src" / "plugins"


def sidebar(lab: Lab) -> Locator:
    lab.command("cloutagent:show-projects")
    shown = lab.page.locator(".ca-Sidebar")
    shown.wait_for()
    return shown


def choose(page: Page, *labels: str) -> None:
    """Walk Lab's menu that is open."""
    for label in labels:
        page.locator(".lm-Menu-item", has_text=label).last.click()


def more(lab: Lab, name: str) -> None:
    row = sidebar(lab).locator(".ca-Item", has_text=name).first
    row.hover()
    row.get_by_role("button", name=f"More about {name}").click()


@pytest.fixture
def claude_project(tmp_path: Path) -> Path:
    """A Claude Code project with one thing that cannot be taken."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("CLAUDE.md", "You answer briefly.")
        guard = {"matcher": "Bash", "hooks": [{"type": "command", "command": "echo brief"}]}
        file.writestr(".claude/settings.json", json.dumps({"hooks": {"PreToolUse": [guard]}}))
        file.writestr(
            ".claude/agents/reader.md",
            "---\nname: reader\ndescription: Reads files\ntools: Read, Unheard\n---\nYou read.",
        )
        file.writestr(".mcp.json", json.dumps({"mcpServers": {"time": {"command": "mcp-server-time"}}}))
    path = tmp_path / "brief.zip"
    path.write_bytes(archive.getvalue())
    return path


def test_an_archive_is_imported_with_its_warnings_and_starts_nothing_untrusted(
    lab: Lab, server: LiveServer, claude_project: Path
) -> None:
    lab.go()
    sidebar(lab).get_by_role("button", name="New, import, backups").click()
    with lab.page.expect_file_chooser() as chooser:
        choose(lab.page, "Import an archive")
    chooser.value.set_files(claude_project)
    dialog = lab.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("Unheard")
    # A list with its marks beside the words, whether or not another view has brought its looks before.
    beside = "mark => mark.getBoundingClientRect().right <= mark.nextSibling.getBoundingClientRect().left"
    mark = dialog.locator("li .ca-Icon").first
    until(lab.page, lambda: mark.evaluate(beside), bool)
    lab.screenshot("import-warnings")
    dialog.get_by_role("button", name="Open the project").click()
    expect(lab.card("subagent:reader")).to_be_visible()
    trust = lab.page.locator(".ca-Trust")
    expect(trust).to_contain_text("nobody here has agreed to")
    trust.get_by_role("button", name="Show what would run").click()
    expect(trust).to_contain_text("mcp-server-time")
    expect(trust).to_contain_text("echo brief")
    assert findings(lab.page, ".ca-Trust") == []
    trust.get_by_role("button", name="Trust exactly this").click()
    expect(trust).to_have_count(0)
    lab.expect_quiet_console()


def test_an_archive_that_is_dropped_on_the_sidebar_is_imported(
    lab: Lab, server: LiveServer, claude_project: Path
) -> None:
    lab.go()
    shown = sidebar(lab)
    data = lab.page.evaluate_handle(
        """bytes => {
             const data = new DataTransfer();
             data.items.add(new File([new Uint8Array(bytes)], 'dropped.zip', { type: 'application/zip' }));
             return data;
           }""",
        list(claude_project.read_bytes()),
    )
    shown.dispatch_event("dragover", {"dataTransfer": data})
    shown.dispatch_event("drop", {"dataTransfer": data})
    expect(lab.page.locator(".jp-Dialog")).to_contain_text("Unheard")


def test_a_project_is_duplicated_exported_and_deleted_and_comes_back_from_its_backup(
    lab: Lab, server: LiveServer
) -> None:
    server.create_project("Travelling")
    lab.go()
    page = lab.page
    search = page.get_by_role("searchbox", name="Search projects")
    listed = sidebar(lab).locator(".ca-List").first
    search.fill("travel")
    expect(listed.locator(".ca-Item", has_not_text="Travelling")).to_have_count(0)
    expect(listed.locator(".ca-Item", has_text="Travelling").first).to_be_visible()
    search.fill("travelled")
    expect(page.locator(".ca-Sidebar")).to_contain_text('No project has "travelled" in its name.')
    search.fill("")
    more(lab, "Travelling")
    lab.screenshot("sidebar-menu")
    choose(page, "Duplicate")
    expect(lab.card("agent")).to_be_visible()
    copy = sidebar(lab).locator(
        ".ca-Item", has_text=re.compile("Travelling.+copy|Copy.+Travelling|Travelling 2")
    )
    expect(copy.first).to_be_visible()
    assert findings(page, ".ca-Sidebar") == []
    more(lab, "Travelling")
    page.locator(".lm-Menu-item", has_text="Export").hover()
    with page.expect_download() as download:
        choose(page, "Python script")
    assert download.value.suggested_filename.endswith(".py")
    compile(Path(download.value.path()).read_text(), "exported.py", "exec")

    def travelling() -> set[str]:
        return {row["id"] for row in server.request("GET", "projects?q=Travelling")[1]["items"]}

    before = travelling()
    more(lab, "Travelling")
    name = sidebar(lab).locator(".ca-Item", has_text="Travelling").first.inner_text().split("\n")[0]
    choose(page, "Delete")
    page.locator(".jp-Dialog").get_by_role("button", name="Delete").click()
    expect(sidebar(lab).locator(".ca-Item", has_text="Travelling")).to_have_count(len(before) - 1)

    lab.command("cloutagent:back-up")
    expect(page.locator(".jp-toast-message, .Toastify__toast").first).to_contain_text("Backup made")
    page.evaluate("() => void window.jupyterapp.commands.execute('cloutagent:show-backups')")
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("made on demand")
    assert findings(page, ".ca-Backups") == []
    lab.screenshot("backups")
    primary = dialog.locator(".ca-Primary, .jp-mod-accept")
    expect(primary).to_have_text(["Back up now"])
    deleted = dialog.locator("li", has_text="a project that was deleted").first
    deleted.get_by_role("button", name=re.compile("^Restore from")).click()
    expect(primary).to_have_text(["Restore now"])
    deleted.get_by_role("button", name="Restore now").click()
    expect(primary).to_have_text(["Back up now"])
    expect(sidebar(lab).locator(".ca-Item", has_text="Travelling")).to_have_count(len(before))
    expect(sidebar(lab).locator(".ca-Item", has_text=name)).not_to_have_count(0)
    until(page, travelling, lambda after: after == before)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def active(page: Page, entry: str) -> None:
    """Press the arrow down until that entry of the open menu is the one that Enter takes."""
    # Menus of the panel's own are loaded when the first one opens.
    expect(page.locator(".lm-Menu").last).to_be_visible()
    marked = page.locator(".lm-Menu").last.locator(".lm-mod-active")
    for _ in range(40):
        page.keyboard.press("ArrowDown")
        next_frame(page)  # the menu marks its entry when it is drawn next
        if marked.count() and entry in (
            marked.get_attribute("data-command") or "",
            marked.locator(".lm-Menu-itemLabel").inner_text(),
        ):
            return
    raise AssertionError(f"no way to {entry}")


def test_lab_s_menus_lead_to_agents_by_keyboard_alone_and_give_the_focus_back(
    lab: Lab, server: LiveServer
) -> None:
    name = f"By keys in {lab.colours}"
    lab.open_project(server.create_project(name)["id"])
    page, keys, card = lab.page, lab.page.keyboard, lab.card("agent")
    bar = page.locator("#jp-MainMenu .lm-MenuBar-item")
    checked = page.get_by_text("Checked: nothing stands in the way of a run.")

    def expect_checked() -> None:
        expect(checked).to_be_visible()
        expect(card).to_be_focused()
        page.get_by_role("button", name="Dismiss").press("Enter")
        expect(checked).to_have_count(0)
        card.focus()

    # Lab puts the focus into the tab when it is in front: later it would take it from the palette.
    page.wait_for_function("() => document.activeElement.closest('.ca-ProjectTab') !== null")
    card.focus()
    lab.find_command("Check Agent Project", found="Check Agent Project")
    keys.press("Enter")
    expect_checked()

    lab.tab_to(bar.first, back=True)
    card.focus()  # where Tab has led on the way is not where somebody was
    bar.first.focus()
    for _ in range(3):
        keys.press("ArrowRight")
    expect(bar.filter(has_text="Run")).to_be_focused()
    keys.press("Enter")
    active(page, "cloutagent:check-project")
    keys.press("Enter")
    expect_checked()

    bar.first.focus()
    keys.press("Enter")
    active(page, "New")
    keys.press("ArrowRight")
    expect(page.locator(".lm-Menu")).to_have_count(2)
    active(page, "cloutagent:new-project")
    keys.press("Enter")
    dialog = page.locator(".jp-Dialog")
    expect(dialog.get_by_role("radio").first).to_be_focused()
    expect(dialog).to_contain_text("New agent project")
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    expect(card).to_be_focused()

    bar.first.focus()
    for _ in range(2):
        keys.press("ArrowRight")
    expect(bar.filter(has_text="View")).to_be_focused()
    keys.press("Enter")
    active(page, "cloutagent:show-projects")
    keys.press("Enter")
    expect(page.get_by_role("searchbox", name="Search projects")).to_be_focused()
    row = page.locator(".ca-Item-main", has_text=re.compile(f"^{name}v"))
    more = page.get_by_role("button", name=f"More about {name}", exact=True)
    row.focus()
    expect(row).to_be_focused()
    keys.press("Shift+F10")
    active(page, "Duplicate")
    keys.press("Escape")
    expect(row).to_be_focused()
    keys.press("Tab")
    expect(more).to_be_focused()
    keys.press("Enter")
    active(page, "Export")
    keys.press("ArrowRight")
    expect(page.locator(".lm-Menu")).to_have_count(2)
    active(page, "Python script (.py)")
    with page.expect_download():
        keys.press("Enter")
    expect(more).to_be_focused()

    lab.hide_sidebars()
    page.set_viewport_size({"width": 560, "height": 800})
    tools = page.get_by_role("button", name="Versions, API, export")
    expect(tools).to_be_visible()
    tools.press("Enter")
    active(page, "Versions")
    keys.press("Enter")
    expect(page.get_by_role("button", name=re.compile("^Now"))).to_be_focused()
    keys.press("Escape")
    expect(tools).to_be_focused()


def test_every_command_says_what_it_does_and_takes(lab: Lab) -> None:
    lab.go()
    page = lab.page
    # What is built has the plugins of the folder, one for each file, each to be switched off by itself.
    names = page.evaluate("() => window.jupyterapp.listPlugins().filter(id => id.startsWith('cloutagent:'))")
    files = [file.stem for file in PLUGINS.glob("*.ts") if not file.stem.endswith(".spec")]
    assert sorted(names) == sorted(f"cloutagent:{name}" for name in files)
    described = page.evaluate(
        """async () => {
             const { commands } = window.jupyterapp;
             const ids = commands.listCommands().filter(id => id.startsWith('cloutagent:'));
             const rows = await Promise.all(ids.map(async id => {
               const described = await commands.describedBy(id);
               return [id, commands.label(id), Boolean(commands.icon(id)), described.args?.type];
             }));
             const bare = row => !row[2] && !row[0].includes('url');
             return rows.filter(row => !row[1] || row[3] !== 'object' || bare(row));
           }"""
    )
    assert described == []
