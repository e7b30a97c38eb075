"""The panel in another language: a language pack as Lab finds it, and no word that none could reach.

What the server says (help lines of fields, problems, errors) is English, as Jupyter's own server is. Not
here: that texts of views are translated at all while they are written (ESLint's rule).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from playwright.sync_api import Browser, expect

from tests.browser.lab import SLOW_MS, Lab
from tests.browser.test_dashboard import prepared
from tests.browser.test_projects import active
from tests.browser.views import every_view
from tests.browser.waiting import lasting
from tests.support.live_server import LiveServer, live_server

LABEXTENSION = Path(__file__).parents[2] / "labextension"
DOMAIN = "cloutagent"

GERMAN: dict[str, str | list[str]] = {
    # Canvas, palette, toolbar
    "Run": "Starten",
    "Subagent": "Unteragent",
    "Add %1": "%1 hinzufügen",
    "Checked": "Geprüft",
    "Find a card": "Karte suchen",
    # Launcher, command palette, Lab's menus
    "New Agent Project": "Neues Agentenprojekt",
    "Agents": "Agenten",
    "Check Agent Project": "Agentenprojekt prüfen",
    "Agent Projects": "Agentenprojekte",
    # Sidebar
    "Search projects": "Projekte suchen",
    "New from template": "Neu aus Vorlage",
    # Monitor, with a number and its plural
    "completed": "fertig",
    "Steps": "Schritte",
    "%1 card": ["%1 Karte", "%1 Karten"],
}
SETTINGS = {"Save edits as a draft": "Änderungen als Entwurf sichern"}
"""What the server reads for the schema of the settings."""


def language_pack(folder: Path) -> Path:
    """What `pip install jupyterlab-language-pack-de-DE` would lay down, with our part alone."""
    package = folder / "jupyterlab_language_pack_de_DE"
    messages = package / "locale" / "de_DE" / "LC_MESSAGES"
    messages.mkdir(parents=True)
    (package / "__init__.py").touch()
    about = {"domain": DOMAIN, "language": "de-DE", "plural_forms": "nplurals=2; plural=(n != 1);"}
    words = {word: [said] if isinstance(said, str) else said for word, said in GERMAN.items()}
    (messages / f"{DOMAIN}.json").write_text(json.dumps({"": about | {"version": "0.1"}} | words))
    catalogue = Catalog(locale="de_DE", domain=DOMAIN)
    for word, said in SETTINGS.items():
        catalogue.add(word, said, context="settings")
    with (messages / f"{DOMAIN}.mo").open("wb") as file:
        write_mo(file, catalogue)
    installed = folder / "jupyterlab_language_pack_de_DE-0.1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: jupyterlab-language-pack-de-DE\nVersion: 0.1\n"
    )
    (installed / "entry_points.txt").write_text(
        "[jupyterlab.languagepack]\nde_DE = jupyterlab_language_pack_de_DE\n"
    )
    return folder


@contextmanager
def spoken(folder: Path, translation: dict[str, Any], *packs: Path) -> Iterator[LiveServer]:
    """Lab with these settings of its translation, and these folders on Python's path."""
    env = prepared(folder)
    (folder / "config" / "labconfig" / "default_setting_overrides.json").write_text(
        '{"cloutagent:project": {"tourSeen": true}}'
    )
    # As the menu Settings > Language writes it: what is overridden the server itself does not heed.
    chosen = folder / "settings" / "@jupyterlab" / "translation-extension"
    chosen.mkdir(parents=True)
    (chosen / "plugin.jupyterlab-settings").write_text(json.dumps(translation))
    root = str(LABEXTENSION.parent)
    env["PYTHONPATH"] = ":".join([root, *map(str, packs)])
    options = ("--CloutAgent.simulated_pace=0", "--LabApp.expose_app_in_browser=True")
    with live_server(folder, *options, app="lab", env=env) as running:
        yield running


def test_all_of_the_panel_speaks_from_one_catalogue() -> None:
    sources = [path.read_text() for path in (LABEXTENSION / "src").rglob("*.ts*")]
    loaded = [name for text in sources for name in re.findall(r"ranslator\)?\.load\(([^)]*)\)", text)]
    assert len(loaded) > 9
    assert set(loaded) == {f"'{DOMAIN}'"}
    schemas = [json.loads(path.read_text()) for path in (LABEXTENSION / "schema").glob("*.json")]
    assert [each["jupyter.lab.internationalization"]["domain"] for each in schemas] == [DOMAIN]
    assert json.loads((LABEXTENSION / "package.json").read_text())["name"] == DOMAIN


@pytest.mark.nightly
def test_the_panel_speaks_the_language_that_lab_has_a_pack_for(chromium: Browser, tmp_path: Path) -> None:
    pack = language_pack(tmp_path / "pack")
    with (
        spoken(tmp_path / "server", {"locale": "de_DE"}, pack) as server,
        Lab.opened(chromium, server) as lab,
    ):
        made = server.create_project("Sprachkundig")["id"]
        page = lab.page
        lab.go()
        card = page.locator(".jp-LauncherCard", has_text="Neues Agentenprojekt")
        expect(card).to_be_visible()
        lab.open_project(made)
        expect(page.get_by_role("button", name="Starten", exact=True).first).to_be_visible()
        page.get_by_role("button", name="Unteragent hinzufügen").press("Enter")
        expect(page.locator(".react-flow__node[data-id^='subagent:u']")).to_contain_text("Unteragent")
        lab.card("agent").focus()
        page.keyboard.press("Control+f")
        expect(page.get_by_role("combobox", name="Karte suchen")).to_be_focused()
        expect(page.get_by_role("search")).to_contain_text(re.compile(r"\d Karten"))
        page.keyboard.press("Escape")
        # The search gives the focus back: what opens before would lose it again, and close.
        expect(page.get_by_role("search")).to_have_count(0)
        lab.card("agent").focus()
        expect(lab.card("agent")).to_be_focused()
        lab.find_command("Agentenprojekt pr", found="Agentenprojekt prüfen")
        page.keyboard.press("Escape")
        bar = page.locator("#jp-MainMenu .lm-MenuBar-item")
        bar.filter(has_text="View").click()
        active(page, "Agentenprojekte")
        page.keyboard.press("Enter")
        expect(page.get_by_role("searchbox", name="Projekte suchen")).to_be_focused()
        expect(page.locator(".ca-Sidebar")).to_contain_text("Neu aus Vorlage")
        page.get_by_role("button", name=re.compile("^Starten")).first.click()
        expect(lab.monitor().get_by_role("status").first).to_contain_text("fertig", timeout=SLOW_MS)
        expect(lab.monitor().get_by_role("tab", name="Schritte")).to_be_visible()
        # Lab's list of all settings leaves those of prebuilt extensions as they are; asked for one, it reads
        # the catalogue that the schema names.
        asked = "async () => (await fetch('/lab/api/settings/cloutagent:project')).json()"
        title = page.evaluate(asked)["schema"]["properties"]["autosave"]["title"]
        assert title == SETTINGS["Save edits as a draft"]
        lab.screenshot("german")
        lab.expect_quiet_console()


UNSEEN = "\u200b"
"""Before every translated text: Lab puts it there, and neither a person nor Playwright sees it."""

LISTEN = """() => {
  const said = (window.said = []);
  const ask = window.fetch;
  window.fetch = async (...request) => {
    const answer = await ask(...request);
    if (answer.url.includes('/cloutagent/')) {
      const reader = answer.clone().body?.getReader();
      const [text, at] = [new TextDecoder(), said.push('') - 1];
      void (async () => {
        for (let part; reader && !(part = await reader.read()).done;) {
          said[at] += text.decode(part.value, { stream: true });
        }
      })().catch(() => undefined);
    }
    return answer;
  };
}"""
"""Keeps in the page what our server said: names, prompts, help lines, what happened."""

HAPPENED = (
    "code, .cm-editor, .ca-Rendered, .ca-Event-line, .ca-Row-said, .ca-Compare-line, .ca-Compare-output, "
    ".ca-Value, .ca-mod-code, .ca-Search-about, .ca-Outline-about"
)
"""Where words are a model's, a program's or a person's own."""
NAMES = (
    r"curl|Python|JavaScript|(opus|sonnet|haiku) [\d.]+",
    r"now|[A-Z][a-z]{2} \d+(, \d{4}, .*)?",
    ".* legend icon",
)
"""Names of the world, what the browser says in its own language, and what Recharts calls its own."""

WORDS = r"""([selector, unseen, happened, names]) => {
  const said = window.said.join('\n').replace(/`/g, '')
    .replace(/\\u([0-9a-f]{4})/gi, (_, code) => String.fromCharCode(parseInt(code, 16)));
  const quoted = text => JSON.stringify(text).slice(1, -1);
  const measured = /^[~<]?[\s$\d.,:+–−-]*(ms|s|min|h|kB|MB|GB|AM|PM)?$/;
  const named = names.map(each => new RegExp(`^(${each})$`));
  const theirs = piece =>
    !/\p{L}{2}/u.test(piece) || measured.test(piece) || named.some(each => each.test(piece)) ||
    said.includes(/\s/.test(piece) ? quoted(piece) : `"${quoted(piece)}"`);
  const shown = element => element.checkVisibility({ visibilityProperty: true });
  const bare = text =>
    !text.includes(unseen) && !theirs(text.trim()) &&
    !text.trim().split(/\s*(?:[·…\n]| \/ )\s*/).every(theirs);
  const found = new Set();
  for (const root of document.querySelectorAll(selector)) {
    for (const element of [root, ...root.querySelectorAll('*')]) {
      if (element.closest(happened) || !shown(element)) {
        continue;
      }
      for (const child of element.childNodes) {
        if (child.nodeType === Node.TEXT_NODE && bare(child.data)) {
          found.add(`${element.getAttribute('class') || element.localName}: ${child.data.trim()}`);
        }
      }
      for (const name of ['aria-label', 'aria-description', 'title', 'placeholder', 'alt']) {
        const text = element.getAttribute(name);
        if (text && bare(text)) {
          found.add(`${name}: ${text}`);
        }
      }
    }
  }
  return [...found];
}"""
"""What is seen or read out without having gone through Lab's translator, and is nobody's own words."""


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_no_word_of_a_view_is_one_that_no_language_pack_could_reach(
    chromium: Browser, tmp_path: Path
) -> None:
    marked = {"displayStringsPrefix": True, "stringsPrefix": UNSEEN}
    found: dict[str, list[str]] = {}
    with spoken(tmp_path, marked) as server, Lab.opened(chromium, server, height=900) as lab:
        lab.page.add_init_script(f"({LISTEN})()")
        for name, selector in every_view(lab, server, "Unseen"):
            read = [selector, UNSEEN, HAPPENED, NAMES]
            bare = lasting(lab.page, lambda at=read: lab.page.evaluate(WORDS, at))
            if bare:
                found[name] = sorted(bare)
    assert found == {}
