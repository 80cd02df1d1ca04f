"""Network namespaces of a test's own: nothing that happens in them reaches the machine or another network."""
import contextlib
import subprocess


class NetworkNamespace:
    """Kept by a process that ends with the test, however it ends."""

    def __init__(self):
        self._keeper = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._keeper.stdin.write(b"made\n")
        self._keeper.stdin.flush()
        self._keeper.stdout.readline()
        self.pid = self._keeper.pid
        self.run("ip", "link", "set", "lo", "up")

    def command(self, *words):
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *map(str, words)]

    def run(self, *words, **options):
        return subprocess.run(self.command(*words), check=True, capture_output=True, text=True, **options)

    def start(self, *words, **options):
        return subprocess.Popen(self.command(*words), **options)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()


def connect(one, other, one_addresses, other_addresses):
    """A cable between two namespaces; addresses with prefix lengths."""
    one.run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", f"/proc/{other.pid}/ns/net")
    for namespace, addresses in ((one, one_addresses), (other, other_addresses)):
        for address in addresses:
            namespace.run("ip", "address", "add", address, "dev", "cable", *(["nodad"] if ":" in address else []))
        namespace.run("ip", "link", "set", "cable", "up")
