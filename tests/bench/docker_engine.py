"""A private Docker engine: own containerd, sockets, data and cgroup parent, so that it meets no other one on the host."""

import os
import shutil
import subprocess
import time


class EngineFailed(Exception):
    pass


def is_available():
    return all(shutil.which(program) for program in ("dockerd", "containerd", "docker", "containerd-shim-runc-v2"))


class DockerEngine:
    """`runtimes` maps a name to the path of an OCI runtime; runc is always known to Docker as `runc`."""

    start_timeout_seconds = 40

    def __init__(self, folder, runtimes, cgroup_parent):
        self.folder = folder
        self.socket = os.path.join(folder, "docker.sock")
        self.processes = []
        self.log = open(os.path.join(folder, "engine.log"), "ab")
        containerd_socket = os.path.join(folder, "containerd.sock")
        self._start(["containerd", "--root", f"{folder}/containerd", "--state", f"{folder}/containerd-state",
                     "--address", containerd_socket, "--log-level", "warn"])
        self._wait_for(containerd_socket)
        arguments = ["dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec",
                     "--pidfile", f"{folder}/docker.pid", "-H", f"unix://{self.socket}", "--containerd", containerd_socket,
                     "--bridge=none", "--iptables=false", "--ip6tables=false", "--cgroup-parent", cgroup_parent]
        for name, path in runtimes.items():
            if name != "runc":
                arguments.append(f"--add-runtime={name}={path}")
        self._start(arguments)
        self._wait_for(self.socket)
        self.docker("version")

    def _start(self, arguments):
        self.processes.append(subprocess.Popen(arguments, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL))

    def _wait_for(self, path):
        deadline = time.monotonic() + self.start_timeout_seconds
        while not os.path.exists(path):
            if time.monotonic() > deadline or self.processes[-1].poll() is not None:
                raise EngineFailed(f"{self.processes[-1].args[0]} did not come up: {self.log_tail()}")
            time.sleep(0.05)

    def command(self, *arguments):
        return [shutil.which("docker"), "-H", f"unix://{self.socket}", *arguments]

    def docker(self, *arguments):
        result = subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=120, check=False)
        if result.returncode != 0:
            raise EngineFailed(f"docker {' '.join(arguments)}: {result.stderr.strip()}")
        return result.stdout

    def import_image(self, root_file_system, name):
        archive = os.path.join(self.folder, "image.tar")
        subprocess.run(["tar", "-C", root_file_system, "-cf", archive, "."], check=True)
        self.docker("import", archive, name)

    def log_tail(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.log.close()
