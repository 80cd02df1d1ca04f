#!/usr/bin/python3
"""internet.py FOLDER [ADDRESS]: an internet for tests: a name server, web servers, an npm registry, a pip index. Run in a network
namespace of its own. ADDRESS is the name server's.

FOLDER has zone.json (name -> addresses), files/HOST/PATH (what web servers have), cert.pem and key.pem; requests.jsonl gets a
line for whatever arrives, before it is answered. Prints "ready" when all listen; ends with its standard input.
"""
import asyncio
import json
import pathlib
import socket
import ssl
import struct
import sys

FOLDER = pathlib.Path(sys.argv[1])
ZONE = json.loads((FOLDER / "zone.json").read_text())
LOG = open(FOLDER / "requests.jsonl", "a", buffering=1)
TYPES = {1: "A", 5: "CNAME", 16: "TXT", 28: "AAAA", 65: "HTTPS"}
turns = {}


def log(**members):
    LOG.write(json.dumps(members) + "\n")


# ---- names ---------------------------------------------------------------------------------------------------------------

def encode(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def record(name, kind, data, ttl=60):
    return encode(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def answers_for(name, kind, depth=0):
    """Values of the zone: addresses; "=name" is an alias; "a|b" gives one after the other, a turn each (rebinding)."""
    values = ZONE.get(name)
    if values is None:
        wild = "*." + name.partition(".")[2]
        values = ZONE.get(wild)
    if values is None:
        return None
    found = b"", 0
    for value in values:
        if value.startswith("="):
            behind = answers_for(value[1:], kind, depth + 1) or (b"", 0)
            found = found[0] + record(name, 5, encode(value[1:])) + behind[0], found[1] + 1 + behind[1]
            continue
        if "|" in value:
            choices = value.split("|")
            turn = turns.get((name, kind), 0)
            turns[name, kind] = turn + 1
            value = choices[min(turn, len(choices) - 1)]
        family, wanted = (socket.AF_INET6, 28) if ":" in value else (socket.AF_INET, 1)
        if wanted == kind:
            found = found[0] + record(name, kind, socket.inet_pton(family, value), ttl=1), found[1] + 1
    return found


class Names(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
            at += 1 + data[at]
        kind = struct.unpack("!H", data[at + 1:at + 3])[0]
        name = ".".join(labels)
        log(kind="dns", name=name, type=TYPES.get(kind, kind), size=len(data))
        if name.startswith("silent."):
            return
        found = answers_for(name.lower(), kind)
        code = 3 if found is None else 0
        body, count = found or (b"", 0)
        if ZONE.get("forged." + name):  # somebody else's answers come first: a wrong id, a wrong name
            wrong = record(name, 1, socket.inet_aton("66.66.66.66"))
            for head, question in ((struct.pack("!H", (struct.unpack("!H", data[:2])[0] + 1) & 0xffff), data[12:at + 5]),
                                   (data[:2], encode("other.example") + struct.pack("!HH", kind, 1))):
                self.transport.sendto(head + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + question + wrong, peer)
        answer = data[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, count, 0, 0) + data[12:at + 5] + body
        self.transport.sendto(answer, peer)


# ---- the web -------------------------------------------------------------------------------------------------------------

def content(host, path, local):
    file = FOLDER / "files" / host / path.partition("?")[0].strip("/")
    if file.is_dir():
        file = file / "index.html"
    if file.is_file():
        return file.read_bytes()
    if path == "/":
        return f"hello from {host} at {local}\n".encode()
    if path.startswith("/bytes/"):
        return b"x" * int(path.split("/")[2])
    return None


async def read_body(reader, headers):
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return body
    return await reader.readexactly(int(headers.get("content-length", 0)))


async def serve_web(reader, writer):
    local = writer.get_extra_info("sockname")
    tls = writer.get_extra_info("ssl_object")
    sni = getattr(tls, "asked_name", None)
    log(kind="connection", address=local[0], port=local[1], sni=sni)
    try:
        while line := await reader.readline():
            method, path, _ = line.decode("latin-1").split()
            headers = {}
            while (line := await reader.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
            body = await read_body(reader, headers)
            host = headers.get("host", "").partition(":")[0]
            log(kind="request", address=local[0], port=local[1], sni=sni, host=host, method=method, path=path, headers=headers,
                body=len(body))
            found = content(host, path, local[0])
            if method == "POST":
                found = body
            status = "200 OK" if found is not None else "404 Not Found"
            found = found or b""
            kind = "application/json" if found.startswith(b"{") else "text/html"
            close = headers.get("connection") == "close"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(found)}\r\n"
                         f"{'Connection: close' if close else 'X-Kept: yes'}\r\n\r\n".encode() + (b"" if method == "HEAD" else found))
            await writer.drain()
            if close:
                break
    except (OSError, ValueError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def serve_banner(reader, writer):
    """A protocol in which the server speaks first."""
    local = writer.get_extra_info("sockname")
    log(kind="connection", address=local[0], port=local[1])
    try:
        writer.write(b"banner of the server\r\n")
        while line := await reader.readline():
            writer.write(b"echo " + line)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "cert.pem", FOLDER / "key.pem")

    def note(sock, name, _):
        sock.asked_name = name

    context.sni_callback = note
    return context


async def main():
    loop = asyncio.get_running_loop()
    if len(sys.argv) > 2:  # not every address: an answer has to come from the one that was asked
        await loop.create_datagram_endpoint(Names, local_addr=(sys.argv[2], 53))
    for address in ("0.0.0.0", "::"):
        options = {"family": socket.AF_INET6 if address == "::" else socket.AF_INET, "backlog": 4096}
        for port in (80, 8080):
            await asyncio.start_server(serve_web, address, port, **options)
        for port in (443, 8443):
            await asyncio.start_server(serve_web, address, port, ssl=tls_context(), **options)
        await asyncio.start_server(serve_banner, address, 22, **options)
    ended = asyncio.Event()
    loop.add_reader(0, ended.set)  # whoever started it is gone
    print("ready", flush=True)
    await ended.wait()


asyncio.run(main())
