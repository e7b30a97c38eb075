"""The look of a monitor: HTML in the notebook's own colours, in pieces that change one by one.

Trust model. Everything an execution says is other people's text: it is escaped, and HTML that a
tool made is shown in a frame that runs no script and reaches nothing. Buttons ask the Jupyter
server that the page belongs to, by HTTP with the page's own cookie, so that they work while the
kernel is busy; in a saved notebook there are none. Not here: what there is to show (`picture`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from . import display
from .picture import LONGEST_OUTPUT, Asked, Picture, Step
from .transport import segment

Load = Callable[[str], bytes | None]
"""A file of the workspace, or None where it is gone or too large."""

_MARKS = {"queued": "◌", "running": "●", "waiting": "◍", "interrupted": "◌", "completed": "✓", "failed": "✕",
          "cancelled": "■"}  # fmt: skip
_COLOURS = {
    "running": "var(--jp-brand-color1, #1976d2)",
    "waiting": "var(--jp-warn-color1, #b26a00)",
    "completed": "var(--jp-success-color1, #2e7d32)",
    "failed": "var(--jp-error-color1, #c62828)",
}
_FAINT = "color: var(--jp-ui-font-color2, #666)"
_MONO = (
    "font-family: var(--jp-code-font-family, monospace); font-size: 12px; white-space: pre-wrap; "
    "overflow-wrap: anywhere; margin: 4px 0; padding: 6px 8px; border-radius: 4px; max-height: 20em; "
    "overflow: auto; background: var(--jp-layout-color2, #f5f5f5); color: var(--jp-content-font-color1, #222)"
)
_BUTTON = (
    "font: inherit; padding: 2px 12px; margin: 0 8px 0 0; border-radius: 4px; cursor: pointer; "
    "border: 1px solid var(--jp-border-color1, #bbb); background: var(--jp-layout-color1, #fff); "
    "color: var(--jp-ui-font-color1, #222)"
)
CARD = (
    "border: 1px solid var(--jp-border-color2, #ccc); border-radius: 8px; padding: 10px 14px; "
    "max-width: 56em; color: var(--jp-ui-font-color1, #222); font-size: 13px; line-height: 1.5; "
    "font-family: var(--jp-ui-font-family, sans-serif)"
)

# One function for all buttons: where the page's server is, the page says (JupyterLab and Notebook 7).
_ASK = """
const b=this,p=JSON.parse(b.dataset.ask),c=document.getElementById('jupyter-config-data');
if(!c){b.textContent='Only in JupyterLab: '+p.instead;return}
const base=JSON.parse(c.textContent).baseUrl,x=document.cookie.match(/(?:^|; )_xsrf=([^;]*)/);
const all=b.parentElement.querySelectorAll('button');all.forEach(e=>e.disabled=true);
fetch(base+'cloutagent/api/v1/'+p.path,{method:'POST',credentials:'same-origin',
headers:{'Content-Type':'application/json','X-XSRFToken':x?decodeURIComponent(x[1]):''},
body:JSON.stringify(p.body)}).then(async r=>{b.textContent=r.ok?p.done:
((await r.json().catch(()=>({}))).error||{message:'refused ('+r.status+')'}).message;
if(!r.ok)all.forEach(e=>e.disabled=false)}).catch(e=>{b.textContent=String(e);
all.forEach(e=>e.disabled=false)})
"""


def button(label: str, path: str, body: dict[str, Any], *, done: str, instead: str) -> str:
    """A button that POSTs `body` to `path`. `instead`: what to call where there is no page to ask from."""
    ask = json.dumps({"path": path, "body": body, "done": done, "instead": instead})
    return (
        f'<button style="{_BUTTON}" data-ask="{escape(ask)}" onclick="{escape("".join(_ASK.splitlines()))}">'
        f"{escape(label)}</button>"
    )


def header(picture: Picture, now: float) -> str:
    """Name, status, figures, and how much of each limit is used."""
    colour = _COLOURS.get(picture.status, "inherit")
    status = picture.status + (f": {picture.step}" if picture.step else "")
    ran = picture.seconds(now)
    told = [display.seconds(round(ran * 1000)), f"{picture.tokens:,} tokens", display.money(picture.cost)]
    told += ["simulated model"] * picture.simulated + ["replay of a recording"] * picture.replay
    percent = dict(picture.percent)
    if timeout := picture.limits.get("timeout_s"):
        percent["time"] = min(100.0, 100 * ran / timeout)
    bars = "".join(_bar(name, percent[name], _limit(name, picture)) for name in percent)
    return (
        f"<div><b>{escape(picture.project)}</b> "
        f'<span style="color: {colour}">{_MARKS.get(picture.status, "●")} {escape(status)}</span> '
        f'<span style="{_FAINT}">{escape(" · ".join(told))}</span></div>'
        f'<div style="display: flex; gap: 16px; margin: 4px 0">{bars}</div>'
    )


def _bar(name: str, percent: float, limit: str) -> str:
    colour = "var(--jp-warn-color1, #b26a00)" if percent >= 80 else "var(--jp-brand-color1, #1976d2)"
    label = f"{name}: {percent:.0f} % of {limit}"
    return (
        f'<div style="flex: 1; max-width: 14em"><div style="{_FAINT}; font-size: 12px">{escape(label)}</div>'
        f'<div role="progressbar" aria-label="{escape(label)}" aria-valuenow="{percent:.0f}" '
        'style="height: 4px; border-radius: 2px; background: var(--jp-layout-color3, #e0e0e0)">'
        f'<div style="height: 4px; border-radius: 2px; width: {max(0.0, min(100.0, percent)):.1f}%; '
        f'background: {colour}"></div></div></div>'
    )


def _limit(name: str, picture: Picture) -> str:
    limits = picture.limits
    if name == "cost":
        return display.money(limits.get("max_cost_usd"))
    if name == "tokens":
        return f"{limits.get('max_tokens') or 0:,}"
    return display.seconds(round((limits.get("timeout_s") or 0) * 1000))


def stop(picture: Picture) -> str:
    """The Stop button, while there is something to stop."""
    if picture.ended:
        return ""
    path = f"executions/{segment(picture.id)}/cancel"
    return f"<div>{button('Stop', path, {}, done='Stopping …', instead='run.cancel()')}</div>"


def approval(picture: Picture, asked: Asked) -> str:
    """One question: what it would do, Allow, Deny."""
    path = f"executions/{segment(picture.id)}/approvals/{segment(asked.call_id)}"
    why = f" ({escape(asked.reason)})" if asked.reason else ""
    buttons = [
        button(label, path, {"decision": word}, done=done, instead=f"run.{word}({asked.call_id!r})")
        for label, word, done in (("Allow", "allow", "Allowed"), ("Deny", "deny", "Denied"))
    ]
    return (
        f'<div style="border-left: 3px solid {_COLOURS["waiting"]}; padding: 2px 10px; margin: 6px 0">'
        f"<b>{escape(asked.agent)}</b> asks to use <code>{escape(asked.tool)}</code>{why}"
        f'<div style="{_MONO}">{escape(_cut(asked.shown))}</div><div>{"".join(buttons)}</div></div>'
    )


def step(step: Step, load: Load, *, depth: int = 0) -> str:
    """A step and those below it."""
    inner = "".join(_below(step, load, depth))
    if step.kind == "turn":
        return inner
    mark = "✕" if step.failed else "✓" if step.ended else "●"
    colour = _COLOURS["failed" if step.failed else "completed" if step.ended else "running"]
    took = display.seconds(round((step.ended - step.began) * 1000)) if step.ended else "…"
    kind = "" if step.kind == "call" else " ⑂"
    return (
        f'<details style="margin-left: {min(depth, 6) * 14}px"><summary style="cursor: pointer">'
        f'<span style="color: {colour}">{mark}</span>{kind} <code>{escape(step.title)}</code> '
        f'<span style="{_FAINT}">{escape(step.about)} · {took}</span></summary>{inner}</details>'
    )


def _below(step: Step, load: Load, depth: int) -> Iterator[str]:
    if step.thinking:
        yield (
            f'<details style="{_FAINT}"><summary style="cursor: pointer">thinking</summary>'
            f'<div style="white-space: pre-wrap">{escape(step.thinking)}</div></details>'
        )
    if step.text:
        yield f'<div style="white-space: pre-wrap; margin: 4px 0">{display.prose(step.text)}</div>'
    if step.input:
        yield f'<div style="{_MONO}">{escape(_cut(_input(step)))}</div>'
    for child in step.steps:
        yield _nested(child, load, depth)
    framed = {
        _plain(part.data).strip() for part in step.output if part.type == "display" and _html(part.data)
    }
    for part in step.output:
        if part.type != "text" or part.text.strip() not in framed:  # the model's form of what is shown
            yield _part(part, load)


def _nested(child: Step, load: Load, depth: int) -> str:
    return step(child, load, depth=depth if child.kind == "turn" else depth + 1)


def _input(step: Step) -> str:
    values = list(step.input.values())
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return json.dumps(step.input, indent=2, ensure_ascii=False)


def _part(part: Any, load: Load) -> str:
    if part.type == "text":
        return f'<div style="{_MONO}">{escape(_cut(part.text))}</div>' if part.text.strip() else ""
    if part.type == "image":
        data = load(part.path)
        if data is None:
            return f'<div style="{_FAINT}">{escape(part.path)}</div>'
        source = f"data:{part.media_type};base64,{base64.b64encode(data).decode()}"
        alt = escape(part.alt or part.path)
        return f'<img alt="{alt}" style="max-width: 100%; margin: 4px 0" src="{escape(source)}">'
    if part.type == "file":
        return f'<div style="{_FAINT}">{escape(part.path)} ({part.size:,} bytes)</div>'
    return _shown(part.data)


def _shown(bundle: dict[str, Any]) -> str:
    """A mime bundle: HTML in a frame without scripts, else its text."""
    made = _html(bundle)
    if not made:
        text = _plain(bundle)
        return f'<div style="{_MONO}">{escape(_cut(text))}</div>' if text.strip() else ""
    page = (
        "<style>body{font:13px sans-serif;margin:4px;color:#222;background:#fff}"
        "table{border-collapse:collapse}td,th{padding:2px 8px;border-bottom:1px solid #ddd;text-align:right}"
        f"</style>{made}"
    )
    rows = min(16, 2 + made.count("<tr"))
    return (
        f'<iframe sandbox="" srcdoc="{escape(page)}" title="output" style="width: 100%; border: 0; '
        f'border-radius: 4px; height: {rows * 1.6:.0f}em"></iframe>'
    )


def _html(bundle: dict[str, Any]) -> str:
    return "".join(bundle.get("text/html") or "")


def _plain(bundle: dict[str, Any]) -> str:
    return "".join(bundle.get("text/plain") or "")


def ending(picture: Picture) -> str:
    """Warnings, and the answer or why there is none."""
    told = "".join(f'<div style="{_FAINT}">⚠ {escape(each)}</div>' for each in picture.warnings[-5:])
    if picture.error is not None:
        code, message = picture.error
        told += f'<p><b style="color: {_COLOURS["failed"]}">{escape(code)}</b> {escape(message)}</p>'
    if picture.result and picture.result.strip() != _last_words(picture):
        told += (
            '<hr style="border: 0; border-top: 1px solid var(--jp-border-color2, #ccc)">'
            f'<div style="white-space: pre-wrap">{display.prose(picture.result)}</div>'
        )
    return told


def _last_words(picture: Picture) -> str:
    """What stands at the end of the steps: nobody reads an answer twice."""
    return picture.steps[-1].text.strip() if picture.steps else ""


def page(picture: Picture, load: Load, now: float, *, live: bool) -> str:
    """All of it as one output; `live` with buttons. A saved notebook keeps it without."""
    asked = "".join(approval(picture, each) for each in picture.asked) if live else ""
    body = "".join(step(each, load) for each in picture.steps)
    head = header(picture, now) + (stop(picture) if live else "")
    return f'<div class="{display.AS_IT_IS}" style="{CARD}">{head}{asked}{body}{ending(picture)}</div>'


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_OUTPUT else f"{text[:LONGEST_OUTPUT]}…"
