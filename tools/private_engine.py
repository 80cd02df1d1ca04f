"""A Docker engine of one's own: it meets no other engine of the host and leaves nothing behind.

It has its own containerd, sockets, data, cgroup parent and network namespace, so that neither its bridge nor its firewall
rules touch the host.  The runtime is registered with it by tools/register-docker, as on a real host.  Needs root.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOOLS = os.path.dirname(os.path.realpath(__file__))
START_SECONDS = 60
PROGRAMS = {
    "dockerd": "docker.io", "containerd": "containerd", "containerd-shim-runc-v2": "containerd", "docker": "docker.io",
    "runc": "runc", "iptables": "iptables", "unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2",
}


class EngineError(Exception):
    """What went wrong and, where it is known, what to do."""


def find_program(name):
    """Path of a program; the distribution's own comes first, because a newer client beside it may speak otherwise."""
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") or shutil.which(name)


def obstacle():
    """Why no private engine can run here, in words with the remedy; None when it can."""
    if os.geteuid() != 0:
        return "an engine can only be started by root: run this with sudo"
    missing = sorted({package for program, package in PROGRAMS.items() if find_program(program) is None})
    if missing:
        return f"packages are missing: apt-get install {' '.join(missing)}"
    return None


class PrivateEngine:
    """Started by __enter__ or start(), gone after __exit__ or stop().  `name` is what the runtime is registered as.

    `policies`: each registered as "brig-POLICY", by a link of that name.
    `cgroup_driver`: who makes the containers' cgroups, the runtime itself ("cgroupfs") or, by its request, "systemd".
    """

    def __init__(self, runtime, name="brig", folder=None, extra_settings=None, cgroup_driver="cgroupfs", policies=()):
        self.runtime = runtime
        self.name = name
        self.policies = policies
        # Unix socket names have 108 bytes: the folder has to have a short path.
        self.folder = folder or tempfile.mkdtemp(prefix="brig-engine-")
        # With user namespaces the containers' root is nobody in particular and has to pass through.
        os.chmod(self.folder, 0o711)
        self.socket = os.path.join(self.folder, "docker.sock")
        self.containerd_socket = os.path.join(self.folder, "containerd.sock")
        self.pidfile = os.path.join(self.folder, "docker.pid")
        self.settings_file = os.path.join(self.folder, "daemon.json")
        self.settings = {"exec-opts": [f"native.cgroupdriver={cgroup_driver}"], **(extra_settings or {})}
        self.cgroup_parent = f"/brig-engine-{os.getpid()}-{os.path.basename(self.folder)[-6:]}"
        if cgroup_driver == "systemd":
            # To systemd a dash in the name of a slice is another slice around it.
            self.cgroup_parent = self.cgroup_parent.strip("/").replace("-", "_") + ".slice"
        self.containerd = self.dockerd = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        reason = obstacle()
        if reason:
            raise EngineError(reason)
        try:
            self._start_containerd()
            self._register_runtime()
            self._start_dockerd()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        """dockerd first: it ends its containers and unmounts what it mounted."""
        for process in (self.dockerd, self.containerd):
            self._end(process)
        self.dockerd = self.containerd = None
        self._kill_leftovers()
        self._remove_cgroups()
        self._unmount_leftovers()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *arguments):
        return [find_program("docker"), "-H", f"unix://{self.socket}", *arguments]

    def environment(self):
        return {**os.environ, "DOCKER_CONFIG": os.path.join(self.folder, "client"), "TERM": "xterm"}

    def run(self, *arguments, timeout=120, stdin=None):
        """A docker command; the result has returncode, stdout and stderr."""
        return subprocess.run(self.command(*arguments), input=stdin, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL if stdin is None else None, env=self.environment(), check=False)

    def docker(self, *arguments, timeout=120):
        """Output of a docker command that has to succeed."""
        result = self.run(*arguments, timeout=timeout)
        if result.returncode != 0:
            raise EngineError(f"docker {' '.join(arguments)} exits with {result.returncode}: {result.stderr.strip()}")
        return result.stdout

    def import_image(self, archive, tag, image_file):
        """`docker import` knows nothing of users and commands: they come from the recipe's image.json."""
        with open(image_file, encoding="utf-8") as file:
            image = json.load(file)
        changes = [f"ENV {word}" for word in image.get("Env", [])]
        changes += [f"{key} {image[field]}" for key, field in (("USER", "User"), ("WORKDIR", "WorkingDir"))
                    if image.get(field)]
        if image.get("Cmd"):
            changes.append(f"CMD {json.dumps(image['Cmd'])}")
        self.docker("import", *(word for change in changes for word in ("--change", change)), archive, tag)

    def in_network(self, *command):
        """A command line that runs where the engine's bridge and published ports are."""
        return [find_program("nsenter"), "-t", str(self.containerd.pid), "-n", *command]

    def log(self):
        """The last complaints of the daemons."""
        lines = []
        for name in ("containerd.log", "dockerd.log"):
            with contextlib.suppress(OSError), open(os.path.join(self.folder, name), errors="replace") as file:
                lines += [line for line in file if "level=info" not in line][-4:]
        return "".join(lines)

    def _start_containerd(self):
        settings = os.path.join(self.folder, "containerd.toml")
        with open(settings, "w", encoding="utf-8") as file:
            file.write('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                       f'[plugins."io.containerd.internal.v1.opt"]\npath = "{self.folder}/containerd-opt"\n')
        command = [find_program("containerd"), "--config", settings, "--root", f"{self.folder}/containerd-root", "--state",
                   f"{self.folder}/containerd-state", "--address", self.containerd_socket, "--log-level", "warn"]
        # The namespace needs its loopback device up before anything listens on it.
        self.containerd = self._spawn("containerd.log", find_program("unshare"), "--net", "sh", "-c",
                                      'ip link set lo up && exec "$@"', "containerd", *command)
        self._wait_for(self.containerd_socket, self.containerd)

    def _register_runtime(self):
        with open(self.settings_file, "w", encoding="utf-8") as file:
            json.dump(self.settings, file)
        self._register(self.name, self.runtime)
        for policy in self.policies:
            link = os.path.join(self.folder, f"brig-{policy}")
            os.symlink(self.runtime, link)
            self._register(f"brig-{policy}", link)

    def _register(self, name, path):
        result = subprocess.run([sys.executable, f"{TOOLS}/register-docker", "--name", name, "--path", path, "--config",
                                 self.settings_file, "--no-reload"], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise EngineError(result.stderr.strip())

    def _start_dockerd(self):
        self.dockerd = self._spawn(
            "dockerd.log", *self.in_network(
                find_program("dockerd"), "--config-file", self.settings_file, "--data-root", f"{self.folder}/data",
                "--exec-root", f"{self.folder}/exec", "--pidfile", self.pidfile, "-H", f"unix://{self.socket}",
                "--containerd", self.containerd_socket, "--cgroup-parent", self.cgroup_parent, "--log-level", "warn",
                "--shutdown-timeout", "5"))
        self._wait_for(self.socket, self.dockerd)
        deadline = time.monotonic() + START_SECONDS
        while self.run("version").returncode != 0:
            if time.monotonic() > deadline or self.dockerd.poll() is not None:
                raise EngineError(f"dockerd does not answer; its log ends with:\n{self.log()}")
            time.sleep(0.1)

    def _spawn(self, log_name, *command):
        with open(os.path.join(self.folder, log_name), "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(),
                                    start_new_session=True)

    def _wait_for(self, path, process):
        deadline = time.monotonic() + START_SECONDS
        while not os.path.exists(path):
            if time.monotonic() > deadline or process.poll() is not None:
                raise EngineError(f"{process.args[0]} did not come up; the log ends with:\n{self.log()}")
            time.sleep(0.05)

    @staticmethod
    def _end(process):
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def cgroups(self):
        """Folders of this engine's cgroups, the deepest first."""
        found = []
        parent = self.cgroup_parent.strip("/")
        for top, folders, _ in os.walk("/sys/fs/cgroup"):
            inside = f"/{parent}" in top
            found += [os.path.join(top, name) for name in folders if inside or name == parent]
        return sorted(found, key=len, reverse=True)

    def _kill_leftovers(self):
        """A runtime that hangs keeps its shim alive after both daemons; the folder's name tells them from all others."""
        for _ in range(3):
            for pid in self._processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    def _processes(self):
        found = set()
        for folder in self.cgroups():
            with contextlib.suppress(OSError), open(f"{folder}/cgroup.procs", encoding="ascii") as file:
                found.update(map(int, file.read().split()))
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
                if any(word.startswith(os.fsencode(self.folder) + b"/") for word in words):
                    found.add(int(pid))
        return found - {os.getpid()}

    def _unmount_leftovers(self):
        """dockerd keeps the mount of its own network namespace until the next boot."""
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            places = [line.split()[4] for line in file]
        for place in reversed(places):
            if place.startswith(self.folder + "/"):
                subprocess.run([find_program("umount"), "--lazy", place], check=False)

    def _remove_cgroups(self):
        for path in self.cgroups():
            with contextlib.suppress(OSError):
                os.rmdir(path)
