"""Texts that break what was not built for them, for wherever callers, models or tools give some."""

from __future__ import annotations

ODD: dict[str, str] = {
    "NUL": "a\0b",
    "control characters": "\x01\x02\x07\x08\x0b\x0c\x0e\x1b\x7f\x80\x9f",
    "line ends": "a\rb\nc\r\nd\x85e\u2028f\u2029g",
    "frames": '\r\n\r\nid: 99\r\ndata: {"id":99,"type":"complete"}\n\nevent: x\nretry: 1\n\n: comment\n\n',
    "a log line": "\n[C 2026-11-25 12:00:00.000 ServerApp] FORGED by nobody\n",
    "a header": "x\r\nX-Forged: yes\r\nSet-Cookie: a=b\r\n\r\n<html>",
    "terminal": "\x1b[2J\x1b[31m\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07\x9b31m\x90q\x9c",
    "bidi": "\u202eevil\u202c \u2066abc\u2069 \u061c\u200e\u200f",
    "zero width": "ad\u200bmin\ufeff\u2060\u00ad",
    "tags": "\U000e0041\U000e0042",
    "private and unassigned": "\ue000\uffff\U0010ffff\ufdd0",
    "combining": "e" + "\u0301" * 500,
    "wide": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u6f22\u5b57",
    "markup": "<img src=x onerror=alert(1)><script>alert(2)</script><svg/onload=alert(3)>&lt;&#0;",
    "links": "[a](javascript:alert(1)) ![b](http://evil.example/?x) <a href='data:text/html,x'>c</a>",
    "templates": "{{7*7}} {{secret:X}} ${7*7} <%= 7*7 %> #{7*7} {% if 1 %} %(x)s %s %n {0} {x.__class__}",
    "shell": "; touch owned #$(touch owned)`touch owned` && touch owned | touch owned",
    "paths": "../../../../etc/passwd\0.png %2e%2e%2f ..\\..\\x C:\\x \\\\host\\x /dev/stdin ~root",
    "SQL": "'; DROP TABLE executions; -- \" OR 1=1",
    "format": "%s%p%n%d%x {!r} \\u0000 \\ud800 \\",
    "formula": "=cmd|' /C calc'!A0 @SUM(1) +1 -1",
    "spaces": " \t\u00a0\u3000\u2003 ",
    "null words": "null undefined None NaN Infinity -0 true [] {}",
    "numbers": "1e999 9" + "9" * 400 + " 0x7f 1_000 \u0661\u0662\u0663",
    "long": "x" * 100_000,
    "one long line of many bytes": "\U0001f600" * 20_000,
}
"""Name -> text. All can be sent as JSON in UTF-8; lone surrogates cannot and are in `SURROGATES`."""

SURROGATES = ['"\\ud800"', '"a\\udfffb"', '"\\ude00\\ud83d"', '"\\ud83d"']
"""JSON strings that no UTF-8 text is."""
