"""Docker's Engine API over its Unix socket, as a program such as dockerode speaks it."""
import http.client
import json
import select
import socket
import time


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class ApiError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status


class EngineApi:
    def __init__(self, path):
        self.path = path

    def call(self, method, url, body=None):
        """The answer's JSON, or its text when it is no JSON."""
        connection = UnixConnection(self.path)
        try:
            connection.request(method, url, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        if answer.status >= 400:
            raise ApiError(answer.status, text)
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text

    def hijack(self, url, body=None):
        """POST that turns the connection into a two-way stream."""
        connection = UnixConnection(self.path)
        text = json.dumps(body or {}).encode()
        connection.connect()
        connection.sock.sendall(b"POST " + url.encode() + b" HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n"
                                b"Upgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: "
                                + str(len(text)).encode() + b"\r\n\r\n" + text)
        return Stream(connection.sock)


class Stream:
    """The raw stream of a container with a terminal."""

    def __init__(self, connection):
        self.connection = connection
        self.seen = ""
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(1)
            assert data, f"the engine closed the connection: {head!r}"
            head += data
        status = head.split(b" ", 2)[1]
        assert status in (b"101", b"200"), head + connection.recv(4096)

    def write(self, text):
        self.connection.sendall(text.encode())

    def read_until(self, text, seconds=20):
        begin, end = len(self.seen), time.monotonic() + seconds
        while text not in self.seen[begin:]:
            ready, _, _ = select.select([self.connection], [], [], max(end - time.monotonic(), 0))
            assert ready, f"{text!r} did not come; the terminal showed {self.seen!r}"
            data = self.connection.recv(65536)
            assert data, f"the stream ended before {text!r}; the terminal showed {self.seen!r}"
            self.seen += data.decode(errors="replace")
        return self.seen[begin:]

    def read_all(self, seconds=20):
        self.connection.settimeout(seconds)
        while data := self.connection.recv(65536):
            self.seen += data.decode(errors="replace")
        return self.seen

    def close(self):
        self.connection.close()
