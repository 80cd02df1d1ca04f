"""Pseudo-terminals: the receiving end of --console-socket, and a terminal to run the CLI on."""
import array
import fcntl
import os
import select
import socket
import struct
import termios
import time


class Pty:
    """The master end of a pseudo-terminal."""

    def __init__(self, fd, name=""):
        self.fd = fd
        self.name = name
        self.seen = ""

    def write(self, text):
        os.write(self.fd, text.encode())

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def size(self):
        return struct.unpack("HHHH", fcntl.ioctl(self.fd, termios.TIOCGWINSZ, bytes(8)))[:2]

    def read_until(self, text, seconds=20):
        """All output so far, once `text` is in it after what was read before."""
        begin, end = len(self.seen), time.monotonic() + seconds
        while text not in self.seen[begin:]:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} did not come; the terminal showed {self.seen!r}"
            assert self._read_some(left), f"the terminal ended before {text!r}; it showed {self.seen!r}"
        return self.seen[begin:]

    def read_all(self, seconds=20):
        """Everything until the other side is closed."""
        end = time.monotonic() + seconds
        while self._read_some(end - time.monotonic()):
            assert time.monotonic() < end, f"the terminal does not end; it showed {self.seen!r}"
        return self.seen

    def _read_some(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], max(seconds, 0))
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: no slave is open any more
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class ConsoleSocket:
    """Listens as a containerd shim does; receive() gives the Pty whose master the runtime sent."""

    def __init__(self, path):
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.listener.bind(self.path)
        self.listener.listen(4)

    def receive(self, seconds=20):
        self.listener.settimeout(seconds)
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(seconds)
            space = socket.CMSG_SPACE(4 * array.array("i").itemsize)
            data, control, _, _ = connection.recvmsg(4096, space, socket.MSG_CMSG_CLOEXEC)
        fds = array.array("i")
        for level, kind, payload in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
        assert len(fds) == 1, f"one fd was expected on the console socket, {len(fds)} came"
        return Pty(fds[0], data.decode())

    def close(self):
        self.listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def open_terminal(rows=24, columns=80):
    """(Pty of the master, fd of the slave) of a new host pseudo-terminal."""
    master, slave = os.openpty()
    pty = Pty(master, os.ttyname(slave))
    pty.resize(rows, columns)
    return pty, slave
