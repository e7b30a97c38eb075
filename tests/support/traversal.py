"""Names that must not lead out of a folder: one corpus for every tool and route that takes a path.

`names(root, outside)` gives text that a caller may send. None of them may read or write
`outside`, a folder beside `root`. Some are ordinary, if odd, names of files *inside*.
"""

from __future__ import annotations

from pathlib import Path

SECRET = "outside-secret-7f3a"
"""Content of `outside/secret.txt`."""


def names(root: Path, outside: Path) -> list[str]:
    """At least 100 of them, all different."""
    target = f"{outside.name}/secret.txt"
    climbing = [
        *("../" * depth + target for depth in range(1, 9)),
        *("../" * depth + "etc/passwd" for depth in range(1, 13)),
        f"./../{target}",
        f".//..//{target}",
        f"sub/../../{target}",
        f"sub/../sub/../../{target}",
        f"a/b/c/../../../../{target}",
        f"{root.name}/../../{target}",
        f"../{root.name}/../{target}",
        f"....//{target}",
        f"....//....//{target}",
        f"..././{target}",
        f".../{target}",
        f"..;/{target}",
        f"..\t/{target}",
        f"..\n/{target}",
        f"..\r/{target}",
        f".. /{target}",
        f" ../{target}",
        f"../ {target}",
        "..",
        "../",
        "../..",
        "./..",
        "sub/../..",
        f"../{outside.name}",
        f"../{root.name}x/secret.txt",
        f"../{root.name}-other/secret.txt",
    ]
    encoded = [
        f"%2e%2e/{target}",
        f"%2e%2e%2f{target}",
        f"..%2f{target}",
        f"%252e%252e%252f{target}",
        f"..%252f{target}",
        f"%c0%ae%c0%ae/{target}",
        f"..%c0%af{target}",
        f"%uff0e%uff0e/{target}",
        f"..%u2215{target}",
        f"&#46;&#46;/{target}",
        f"\\x2e\\x2e/{target}",
        f"\\u002e\\u002e/{target}",
    ]
    unicode = [
        f"\uff0e\uff0e/{target}",
        f"\u2024\u2024/{target}",
        f"..\u2215{target}",
        f"..\u2044{target}",
        f"..\uff0f{target}",
        f"..\u29f8{target}",
        f".\u200b./{target}",
        f".\u202e./{target}",
        f"\ufeff../{target}",
        f"..\u0000/{target}",
        f"..\ud800/{target}",
        "caf\u00e9.txt",
        "cafe\u0301.txt",
    ]
    backslash = [
        f"..\\{target}",
        f"..\\..\\{target}",
        f"..\\/{target}",
        f"../..\\{target}",
        f"sub\\..\\..\\{target}",
        "C:\\Windows\\win.ini",
        "C:/Windows/win.ini",
        "C:secret.txt",
        "\\\\server\\share\\secret.txt",
        "//server/share/secret.txt",
        "\\\\?\\C:\\secret.txt",
        "\\\\.\\pipe\\secret",
        "/\\etc/passwd",
    ]
    absolute = [
        str(outside / "secret.txt"),
        f"/{outside / 'secret.txt'}",
        f"//{outside / 'secret.txt'}",
        f"{root}/../{target}",
        f"{root}/./../{target}",
        f"{root}/sub/../../{target}",
        f"{root}x/secret.txt",
        f"{root}-other/secret.txt",
        str(root.parent),
        "/",
        "//",
        "/.",
        "/..",
        "/etc/passwd",
        "//etc/passwd",
        "/./etc/passwd",
        "/etc/../etc/passwd",
        "/etc/shadow",
        "/root/.ssh/id_rsa",
        "/dev/stdin",
        "/dev/stdout",
        "/dev/fd/0",
        "/dev/zero",
        "/dev/null",
        "/dev/tty",
        "/proc/self/environ",
        "/proc/self/cwd/secret.txt",
        f"/proc/self/root{outside}/secret.txt",
        "/proc/self/fd/0",
        "/proc/1/environ",
        "/proc/self/mem",
        "/sys/kernel/notes",
        "file:///etc/passwd",
        f"file://{outside}/secret.txt",
        "http://localhost/secret.txt",
    ]
    home = [
        "~",
        "~/",
        "~/.ssh/id_rsa",
        "~root",
        "~root/.bashrc",
        "$HOME/.bashrc",
        "${HOME}/.bashrc",
        "$(id)",
        "`id`",
    ]
    odd = [
        "",
        " ",
        ".",
        "./",
        "\0",
        f"sub\0/../{target}",
        "secret.txt\0.png",
        "secret.txt.",
        "secret.txt ",
        "secret.txt::$DATA",
        "CON",
        "nul.txt",
        "aux",
        "a" * 255,
        "a" * 256,
        "a/" * 2100 + "b",
        "é" * 200,
        "../" * 1400 + "etc/passwd",
        "\x1b[2J",
        "\x7f",
        "-rf",
        "--help",
        "|id",
        ";id",
    ]
    planted = [  # links that `plant` puts there
        "link-file",
        "link-folder/secret.txt",
        "link-up/" + target,
        "link-absolute",
        "link-chain",
        "link-loop",
        "link-proc/environ",
        "link-root/etc/passwd",
        "sub/link-up/secret.txt",
        "link-inside/../../" + target,
        "pipe",
        "socket",
        "device",
    ]
    return list(dict.fromkeys([*climbing, *encoded, *unicode, *backslash, *absolute, *home, *odd, *planted]))


def plant(root: Path, outside: Path) -> None:
    """Put the links, pipe, socket and secret there that `names` speaks of."""
    import os
    import socket

    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    for beside in (root.with_name(root.name + "x"), root.with_name(root.name + "-other")):
        beside.mkdir()
        (beside / "secret.txt").write_text(SECRET)
    (root / "sub").mkdir()
    (root / "sub" / "inside.txt").write_text("inside\n")
    (root / "link-file").symlink_to(f"../{outside.name}/secret.txt")
    (root / "link-folder").symlink_to(f"../{outside.name}")
    (root / "link-up").symlink_to("..")
    (root / "link-absolute").symlink_to(outside / "secret.txt")
    (root / "link-chain").symlink_to("link-file")
    (root / "link-loop").symlink_to("link-loop")
    (root / "link-proc").symlink_to("/proc/self")
    (root / "link-root").symlink_to("/")
    (root / "sub" / "link-up").symlink_to(f"../../{outside.name}")
    (root / "link-inside").symlink_to("sub")
    (root / "device").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe")
    before = os.getcwd()
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(root)  # the path of a socket may have 107 bytes
        try:
            listener.bind("socket")
        finally:
            os.chdir(before)
