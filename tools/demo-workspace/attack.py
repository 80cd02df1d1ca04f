"""What an unfriendly user might send: each attempt says what came of it."""
import ctypes
import os
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def write_to_root():
    open("/home/sandbox/new", "w")


def write_to_workspace():
    open("/workspace/report.py", "a")


def fill_tmp():
    with open("/tmp/big", "wb") as file:
        for _ in range(100):
            file.write(bytes(1 << 20))


def fork_without_end():
    children = []
    try:
        for _ in range(1000):
            child = os.fork()
            if child == 0:
                os.kill(os.getpid(), 19)
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, 9)


def mount():
    checked(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))


def become_root():
    os.setuid(0)


def open_raw_socket():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def use_network():
    others = [name for _, name in socket.if_nameindex() if name != "lo"]
    if not others:
        raise OSError("there is no interface but the loopback")


def allocate():
    sys.stdout.flush()
    bytearray(256 << 20)


breached = 0
for attempt in (write_to_root, write_to_workspace, fill_tmp, fork_without_end, mount, become_root, open_raw_socket,
                use_network):
    name = attempt.__name__.replace("_", " ")
    try:
        attempt()
    except OSError as error:
        print(f"{name:20} refused: {error}")
    else:
        breached += 1
        print(f"{name:20} SUCCEEDED")
if os.path.exists("/tmp/big"):
    os.unlink("/tmp/big")
if breached:
    sys.exit(f"{breached} attempts succeeded")
if sys.argv[1:] == ["allocate"]:
    allocate()
