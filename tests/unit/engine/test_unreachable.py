"""The model's address is at fault: said by name, tried again only where that may help."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import socket
import ssl
from collections import defaultdict
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.messages_api import Calls, Failure, MessagesApi, Say

from .harness import live, subagent

NAME = "no-such-model.example"


def resolver(monkeypatch: pytest.MonkeyPatch, number: int) -> list[str]:
    """A resolver that does not know `NAME`; the questions it got."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host, *rest, **more):
        name = host.decode() if isinstance(host, bytes) else host
        if name == NAME:
            asked.append(name)
            raise socket.gaierror(number, "the resolver's own words")
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


async def test_a_name_that_does_not_exist_is_said_at_once(tmp_path, monkeypatch):
    asked = resolver(monkeypatch, socket.EAI_NONAME)
    async with live(f"https://{NAME}", tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.code, outcome.details["kind"], outcome.details["tries"]) == ("MODEL_ERROR", "dns", 1)
    assert "cannot be resolved: the resolver's own words" in outcome.message
    assert "base_url" in outcome.message
    assert (len(asked), bench.clock.slept) == (1, [])


async def test_a_resolver_that_asks_for_patience_gets_it(tmp_path, monkeypatch):
    asked = resolver(monkeypatch, socket.EAI_AGAIN)
    async with live(f"https://{NAME}", tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.details["kind"], outcome.details["tries"], len(asked)) == ("dns", 8, 8)
    assert bench.log.warnings().count("RETRYING") == 7


async def test_a_plain_http_server_on_https_is_said_at_once(tmp_path):
    async def serve(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, live(f"https://127.0.0.1:{port}", tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.details["kind"], outcome.details["tries"]) == ("tls", 1), outcome
    assert "http:// instead of https://" in outcome.message


async def test_a_self_signed_certificate_is_said_at_once_and_gets_no_key(tmp_path):
    received = bytearray()

    async def serve(reader, writer):
        received.extend(await reader.read(10_000))
        writer.close()

    server = await asyncio.start_server(
        serve, "127.0.0.1", 0, ssl=await asyncio.to_thread(self_signed, tmp_path)
    )
    port = server.sockets[0].getsockname()[1]
    async with server, live(f"https://127.0.0.1:{port}", tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.details["kind"], outcome.details["tries"]) == ("tls", 1), outcome
    assert "certificate of the model service is not trusted: self-signed" in outcome.message
    assert "test-key" not in outcome.message + json.dumps(outcome.details)
    assert received == b""


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "model")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_parallel_subagents_do_not_come_back_in_step(tmp_path):
    """Each waits a random part of its bound, so that one overload does not become the next."""
    tries: defaultdict[str, int] = defaultdict(int)

    def script(body, number):
        first = json.dumps(body["messages"][0])
        if "part" not in first:
            if len(body["messages"]) > 1:
                return Say("All done.")
            calls = [("agent__worker", {"prompt": f"part {n}"}) for n in range(12)]
            return Calls(calls, ids=[f"c{n}" for n in range(12)])
        tries[first] += 1
        return Failure(529, "overloaded_error") if tries[first] <= 3 else Say("ok")

    definition = {
        "agent": {"subagents": ["worker"]},
        "subagents": [subagent("worker", max_parallel_instances=12)],
    }
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition)
    assert outcome.status == "completed", outcome
    slept = bench.clock.slept
    assert len(slept) == 36, slept
    assert len({round(each, 4) for each in slept}) >= 34
    assert max(slept) <= 4
    # Spread over the whole of what is allowed, not a fixed wait with a little noise.
    assert min(slept) < 0.3 * max(slept)
