"""Addresses that nobody's fetch may reach, in every spelling that got past somebody's filter.

The corpus of SSRF tests: each list is used by every test of code that connects to an
address which a model, a page or a project chose. Not here: redirects and rebinding,
which need a server (`tests.unit.tools.test_web`).
"""

from __future__ import annotations

LOOPBACK = [
    "http://127.0.0.1/", "http://127.0.0.2/", "http://127.255.255.254/", "http://localhost/",
    "http://LOCALHOST/", "http://localhost./", "http://[::1]/", "http://[0:0:0:0:0:0:0:1]/",
    "http://0.0.0.0/", "http://0/", "http://[::]/", "http://0.1.2.3/",
]  # fmt: skip
NUMBERS = [
    "http://2130706433/", "http://017700000001/", "http://0x7f000001/", "http://0x7f.0.0.1/",
    "http://0177.0.0.1/", "http://127.1/", "http://127.0.1/", "http://0x7f.1/", "http://127.0.0.0x1/",
    "http://00000177.0.0.1/", "http://3232235521/", "http://0xa9fea9fe/", "http://2852039166/",
    "http://0251.0376.0251.0376/", "http://0xA9.0xFE.0xA9.0xFE/", "http://169.254.43518/",
    "http://127.0.0.1./", "http://①②⑦.⓪.⓪.①/", "http://１２７.０.０.１/", "http://127。0。0。1/",
]  # fmt: skip
PRIVATE = [
    "http://10.0.0.1/", "http://10.255.255.255/", "http://172.16.0.1/", "http://172.31.255.255/",
    "http://192.168.0.1/", "http://192.168.255.255/", "http://100.64.0.1/", "http://100.127.255.254/",
    "http://[fc00::1]/", "http://[fd12:3456:789a::1]/", "http://[fec0::1]/",
]  # fmt: skip
LINK_LOCAL_AND_METADATA = [
    "http://169.254.0.1/", "http://169.254.169.254/latest/meta-data/", "http://169.254.170.2/v2/credentials",
    "http://[fe80::1]/", "http://[fe80::1%25eth0]/", "http://[fd00:ec2::254]/", "http://100.100.100.200/",
    "http://192.0.0.192/", "http://168.63.129.16/",
]  # fmt: skip
MULTICAST_AND_RESERVED = [
    "http://224.0.0.1/", "http://239.255.255.250/", "http://240.0.0.1/", "http://255.255.255.255/",
    "http://[ff02::1]/", "http://[ff0e::1]/", "http://192.0.2.1/", "http://198.51.100.1/",
    "http://203.0.113.1/", "http://198.18.0.1/", "http://192.88.99.1/", "http://[2001:db8::1]/",
    "http://[100::1]/",
]  # fmt: skip
EMBEDDED = [
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::ffff:a9fe:a9fe]/",
    "http://[0:0:0:0:0:ffff:10.0.0.1]/", "http://[::127.0.0.1]/", "http://[::7f00:1]/",
    "http://[::ffff:0:127.0.0.1]/", "http://[64:ff9b::127.0.0.1]/", "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::10.0.0.1]/", "http://[2002:7f00:1::]/", "http://[2002:a9fe:a9fe::1]/",
    "http://[2002:c0a8:1::]/", "http://[2001:0:7f00:1::]/", "http://[2001:0:1:2:3:4:80ff:fffe]/",
    "http://[2606:4700::5efe:10.0.0.1]/", "http://[2606:4700::200:5efe:127.0.0.1]/",
]  # fmt: skip
SPELLINGS = [
    "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:70/_", "data:text/html,x",
    "javascript:alert(1)", "http:///", "http://", "//127.0.0.1/", "http:127.0.0.1",
    "http://user@127.0.0.1/", "http://example.com@127.0.0.1/", "http://example.com:80@127.0.0.1/",
    "http://127.0.0.1\\@example.com/", "http://example.com\\.evil/", "http://127.0.0.1:0/",
    "http://127.0.0.1:99999/", "http://127.0.0.1 /", " http://127.0.0.1/", "http://127.0.0.1\t/",
    "http://exa\nmple.com/", "http://%31%32%37.0.0.1/", "http://127.0.0.1%00.example.com/",
    "http://[::1", "http://[127.0.0.1]/", "http://-example.com/", "http://" + "a" * 300 + ".com/",
]  # fmt: skip

REFUSED = [
    *LOOPBACK, *NUMBERS, *PRIVATE, *LINK_LOCAL_AND_METADATA, *MULTICAST_AND_RESERVED, *EMBEDDED, *SPELLINGS,
]  # fmt: skip
"""None of these may be connected to."""

PUBLIC = [
    "93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e",
    "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8",
]  # fmt: skip
"""These may."""
