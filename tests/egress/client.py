"""What a program in a sandbox does; prints a JSON object with what it got. Errors are answers, too."""
import json
import os
import socket
import ssl
import struct
import sys
import time

TIMEOUT = float(os.environ.get("PATIENCE", 60))  # a busy host takes its time


def context():
    made = ssl.create_default_context(cafile=os.environ["CA"])
    return made


def read_all(connection):
    data = b""
    while part := connection.recv(65536):
        data += part
    return data.decode("latin-1")


def resolve(name, family="0"):
    families = {"0": 0, "4": socket.AF_INET, "6": socket.AF_INET6}
    return sorted({entry[4][0] for entry in socket.getaddrinfo(name, None, families[family], socket.SOCK_STREAM)})


def connect(target, port):
    return socket.create_connection((target, int(port)), timeout=TIMEOUT)


def http(target, port, host, path="/"):
    """A request to an address or name, with any Host."""
    with connect(target, port) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return read_all(connection)


def raw(target, port, text, after="0"):
    """Bytes as they are, with \\r\\n and the like; then what comes back."""
    with connect(target, port) as connection:
        connection.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
        time.sleep(float(after))
        return read_all(connection)


def listen_first(target, port):
    with connect(target, port) as connection:
        banner = connection.recv(100)
        connection.sendall(b"hello\n")
        return (banner + connection.recv(100)).decode()


def tls(target, port, name, host=None, resolve_first=None):
    """TLS with any server name to any address or name."""
    if resolve_first:
        resolve(resolve_first)
    made = context()
    made.check_hostname = False
    with connect(target, port) as plain, made.wrap_socket(plain, server_hostname=name or None) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host or name}\r\nConnection: close\r\n\r\n".encode())
        return read_all(connection)


def hello_of(name, **settings):
    """The bytes of a ClientHello as OpenSSL makes it."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    for setting, value in settings.items():
        setattr(made, setting, value)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        made.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def fragmented_hello(target, name, how):
    """A hello in pieces: of the stream ("segments"), or of TLS records ("records"). Gives the type of the server's record."""
    hello = hello_of(name)
    message = hello[5:]
    if how == "records":
        hello = b"".join(b"\x16\x03\x01\x00\x07" + message[at:at + 7] for at in range(0, len(message) - len(message) % 7, 7))
        rest = message[len(message) - len(message) % 7:]
        hello += b"\x16\x03\x01" + struct.pack("!H", len(rest)) + rest if rest else b""
    with connect(target, 443) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if how == "segments":
            for at in range(0, len(hello), 11):
                connection.sendall(hello[at:at + 11])
                time.sleep(0.002)
        else:
            connection.sendall(hello)
        return connection.recv(1)[0]


def two_hellos(target, first, second):
    """Pipelined: the second names another server."""
    with connect(target, 443) as connection:
        connection.sendall(hello_of(first) + hello_of(second))
        return read_all(connection)


def encrypted_hello(target, name):
    """A hello with an ECH extension (its content does not matter to whoever only looks for it)."""
    hello = bytearray(hello_of(name))
    extension = b"\xfe\x0d\x00\x04\x00\x01\x02\x03"
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + struct.unpack("!H", hello[at:at + 2])[0]
    at += 1 + hello[at]
    hello[at:at + 2] = struct.pack("!H", struct.unpack("!H", hello[at:at + 2])[0] + len(extension))
    hello += extension
    hello[3:5] = struct.pack("!H", len(hello) - 5)
    hello[6:9] = struct.pack("!I", len(hello) - 9)[1:]
    with connect(target, 443) as connection:
        connection.sendall(hello)
        return connection.recv(1)[0]


def query(server, name, kind="1", tcp="", count="1"):
    """A DNS query as bytes to any server; its code and the number of its answers."""
    labels = [label.encode().decode("unicode_escape").encode("latin-1") for label in name.split(".") if label]
    labels = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    message = struct.pack("!HHHHHH", 4711, 0x0100, int(count), 0, 0, 0) + labels + struct.pack("!HH", int(kind), 1)
    if tcp:
        with connect(server, 53) as connection:
            connection.sendall(struct.pack("!H", len(message)) + message)
            answer = connection.recv(4096)[2:]
    else:
        with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect((server, 53))
            connection.send(message)
            answer = connection.recv(4096)
    identity, flags, _, answers, _, _ = struct.unpack("!HHHHHH", answer[:12])
    assert identity == 4711
    return {"code": flags & 15, "answers": answers, "size": len(answer)}


def datagram(target, port):
    """By UDP: whether somebody takes it."""
    with socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(1)
        connection.connect((target, int(port)))
        connection.send(b"quic?")
        return connection.recv(100).decode()


def echo_request(target):
    """ICMP, with a socket that needs no right (net.ipv4.ping_group_range) or a raw one."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            connection = socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP)
            break
        except PermissionError:
            continue
    else:
        raise PermissionError("no ICMP socket")
    connection.settimeout(1)
    head = struct.pack("!BBHHH", 8, 0, 0, 1, 1)
    words = struct.unpack("!4H", head)
    total = sum(words)
    total = (total >> 16) + (total & 0xffff)
    connection.sendto(struct.pack("!BBHHH", 8, 0, ~total & 0xffff, 1, 1), (target, 0))
    while True:
        answer = connection.recv(1000)
        if kind == socket.SOCK_DGRAM or answer[20] == 0:
            return len(answer)


def open_socket(family, kind, protocol="0"):
    numbers = {"packet": socket.AF_PACKET, "inet": socket.AF_INET, "netlink": socket.AF_NETLINK}
    with socket.socket(numbers[family], {"raw": socket.SOCK_RAW, "dgram": socket.SOCK_DGRAM}[kind], int(protocol)) as made:
        return made.fileno() >= 0


def abstract(name):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + name)
        return connection.recv(100).decode()


def crowd(target, port, host, count):
    """Connections that are all open at once, then a request on each."""
    address = socket.gethostbyname(target)
    connections = [socket.socket() for _ in range(int(count))]
    for connection in connections:
        connection.setblocking(False)
        connection.connect_ex((address, int(port)))
    good = 0
    for connection in connections:
        connection.settimeout(TIMEOUT)
    for connection in connections:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    for connection in connections:
        good += connection.recv(1000).startswith(b"HTTP/1.1 200")
    return good


def post(target, port, host, size, how="length"):
    body = b"y" * int(size)
    with connect(target, port) as connection:
        if how == "chunked":
            chunks = b"".join(b"%x\r\n" % len(body[at:at + 1000]) + body[at:at + 1000] + b"\r\n" for at in range(0, len(body), 1000))
            connection.sendall(f"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n")
        else:
            connection.sendall(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n".encode() + body)
        return len(read_all(connection).partition("\r\n\r\n")[2])


def slow(target, port, seconds):
    """Says nothing of use, a byte at a time."""
    begin = time.monotonic()
    with connect(target, port) as connection:
        try:
            while time.monotonic() - begin < float(seconds):
                connection.send(b"G")
                time.sleep(0.1)
        except OSError:
            pass
    return time.monotonic() - begin


def proxy(kind, proxy_port, host, port, then):
    """Through the proxy: CONNECT, SOCKS5 (by name or address), or GET http://; `then` is tls, http or raw."""
    with connect("127.0.0.1", proxy_port) as connection:
        if kind == "absolute":
            connection.sendall(f"GET http://{host}:{port}/ HTTP/1.1\r\nHost: {then or host}\r\n\r\n".encode())
            return read_all(connection)
        if kind == "connect":
            connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            answer = ""
            while not answer.endswith("\r\n\r\n") and (byte := connection.recv(1)):
                answer += byte.decode()  # no further: the server's first word may be right behind
            if not answer.startswith("HTTP/1.1 200"):
                return answer + read_all(connection)
        else:
            connection.sendall(b"\x05\x01\x00")
            assert connection.recv(2) == b"\x05\x00"
            name = host.encode()
            kind_of = b"\x03" + bytes([len(name)]) + name if kind == "socks" else b"\x01" + socket.inet_aton(host)
            connection.sendall(b"\x05\x01\x00" + kind_of + struct.pack("!H", int(port)))
            answer = connection.recv(10)  # the server's first word may be right behind
            if answer[1] != 0:
                return f"socks {answer[1]}"
        what, _, name = then.partition(":")
        if what == "raw":
            connection.sendall(b"hello\n")
            said = b""
            while not said.endswith(b"hello\n") and (piece := connection.recv(100)):
                said += piece
            return said.decode()
        if what == "tls":
            made = context()
            made.check_hostname = False
            connection = made.wrap_socket(connection, server_hostname=name)
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        return read_all(connection)


def main():
    try:
        answer = {"got": globals()[sys.argv[1]](*sys.argv[2:])}
    except (OSError, AssertionError, IndexError) as error:
        answer = {"got": None, "error": type(error).__name__, "message": str(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
