"""KURO's command line, word for word with --runtime=brig, under attack.

Each attack is made twice: under KURO's limits, where it has to fail, and with that one limit opened, where it has to work;
so a case cannot pass because the attack itself is broken.
"""
import json

import pytest

from docker_client import IMAGE

NO_FILTER = "--security-opt=seccomp=unconfined"


@pytest.fixture
def kuro(docker, workdir):
    """kuro(command, without=[...], plus=[...]): runs under the limits; `without` drops options by their beginning."""
    (workdir / "workspace").mkdir()
    (workdir / "artifacts").mkdir()
    (workdir / "workspace/input.csv").write_text("a,b\n1,2\n")
    (workdir / "artifacts").chmod(0o777)
    limits = ["--network=none", "--read-only", "--tmpfs=/tmp:size=64m", "--memory=128m", "--cpus=1", "--pids-limit=64",
              "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=1000",
              f"--volume={workdir}/workspace:/workspace:ro", f"--volume={workdir}/artifacts:/artifacts:rw"]

    def run(*command, without=(), plus=()):
        options = [option for option in limits if not any(option.startswith(start) for start in without)]
        return docker("run", "--rm", "--runtime=brig", *options, *plus, IMAGE, *command)

    run.folder = workdir
    return run


def attempt(result):
    assert result.returncode in (0, 1), (result.returncode, result.stdout, result.stderr)
    return json.loads(result.stdout)


def test_the_job_itself_works(kuro):
    result = kuro("sh", "-c", "cp /workspace/input.csv /artifacts/output.csv; echo done; echo warned >&2; touch /tmp/ok")
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "warned\n")
    assert (kuro.folder / "artifacts/output.csv").read_text() == "a,b\n1,2\n"
    assert (kuro.folder / "artifacts/output.csv").stat().st_uid == 1000


# what is tried, the errors that are a defence, what is opened for the control, options of the control
ATTACKS = {
    "write to the root": (["write-file", "/new", "x"], ["EROFS"], ["--read-only", "--user"], []),
    "write to the workspace": (["write-file", "/workspace/new", "x"], ["EROFS"], ["--volume", "--read-only", "--user"], []),
    "write to /proc/sys": (["write-file", "/proc/sys/kernel/domainname", "x"], ["EROFS", "EACCES"],
                           ["--user", "--cap-drop"], ["PRIVILEGED"]),
    "write to /proc/irq": (["open", "/proc/irq/default_smp_affinity", "w"], ["EROFS", "EACCES"], ["--user"], ["PRIVILEGED"]),
    "write to /sys": (["open", "/sys/kernel/mm/ksm/run", "w"], ["EROFS", "EACCES"], ["--user"], ["PRIVILEGED"]),
    "become root": (["setuid", "0"], ["EPERM"], ["--user", "--cap-drop"], []),
    "give a file away": (["chown", "/artifacts", "0", "0"], ["EPERM"], ["--user", "--cap-drop"], []),
    "make a device": (["mknod", "/tmp/disk", "b", "8", "0"], ["EPERM"], ["--user", "--cap-drop"], []),
    "mount": (["mount", "none", "/tmp", "tmpfs"], ["EPERM"], ["--user"], ["ADMIN"]),
    "unmount a mask": (["umount", "/proc/keys"], ["EPERM", "EINVAL"], ["--user"], ["ADMIN"]),
    "a user namespace": (["unshare", "0x10000000"], ["EPERM"], [], [NO_FILTER]),
    "a network namespace": (["unshare", "0x40000000"], ["EPERM"], ["--user"], ["ADMIN"]),
    "join the first process's mounts": (["setns", "/proc/1/ns/mnt"], ["EPERM", "EACCES"], ["--user"], ["ADMIN"]),
    "a raw socket": (["socket", "2", "3", "1"], ["EPERM"], ["--user", "--cap-drop"], []),
    "a packet socket": (["socket", "17", "3", "768"], ["EPERM"], ["--user", "--cap-drop"], []),
    "chroot": (["chroot", "/tmp"], ["EPERM"], ["--user", "--cap-drop"], []),
    "change the host name": (["sethostname", "mine"], ["EPERM"], ["--user"], ["ADMIN"]),
    "trace with perf": (["syscall", "perf_event_open", "0", "0", "-1", "-1", "0"], ["EPERM", "EACCES"], ["--user"],
                        ["ADMIN"]),
    "load a BPF program": (["syscall", "bpf", "0", "0", "0"], ["EPERM"], ["--user"], ["ADMIN"]),
    "a keyring": (["syscall", "keyctl", "0", "-3", "1"], ["EPERM"], [], [NO_FILTER]),
}

# PRIVILEGED opens /proc and /sys as well; ADMIN is every capability that a container may want and no filter.
CONTROLS = {
    "PRIVILEGED": ["--security-opt=systempaths=unconfined", "--cap-add=SYS_ADMIN", NO_FILTER, "--volume=/sys:/sys:rw"],
    "ADMIN": ["--cap-add=SYS_ADMIN", "--cap-add=SYS_CHROOT", NO_FILTER],
}
# Errors that come after the kernel's check of permission: the attack got through.
BEHIND_THE_CHECK = {"trace with perf": ["EFAULT"], "load a BPF program": ["EINVAL", "EFAULT"]}


@pytest.fixture(scope="module")
def answers():
    """Attacks that run under the same options share a container: options -> {name: errno}."""
    return {}


def attack_all(kuro, names, without=(), plus=()):
    lines = [f"probe {' '.join(ATTACKS[name][0])}" for name in names]
    result = kuro("sh", "-c", "\n".join(lines), without=without, plus=plus)
    said = [json.loads(line)["errno"] for line in result.stdout.splitlines()]
    assert len(said) == len(names), (result.returncode, result.stdout, result.stderr)
    return dict(zip(names, said))


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_fails(kuro, answers, name):
    if "limited" not in answers:
        answers["limited"] = attack_all(kuro, ATTACKS)
    assert answers["limited"][name] in ATTACKS[name][1]


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_would_work_without_the_limit(kuro, answers, name):
    _, _, without, plus = ATTACKS[name]
    key = (*without, *plus)
    if key not in answers:
        alike = [other for other in ATTACKS if (*ATTACKS[other][2], *ATTACKS[other][3]) == key]
        options = [option for word in plus for option in CONTROLS.get(word, [word])]
        answers[key] = attack_all(kuro, alike, without, options)
    assert answers[key][name] is None or answers[key][name] in BEHIND_THE_CHECK.get(name, [])


def test_fork_bomb(kuro):
    assert attempt(kuro("probe", "fork-bomb", "300"))["made"] < 64
    assert attempt(kuro("probe", "fork-bomb", "300"))["errno"] == "EAGAIN"
    assert attempt(kuro("probe", "fork-bomb", "300", without=["--pids-limit"]))["made"] == 300


def test_memory(kuro):
    assert kuro("probe", "allocate", "256").returncode == 137
    assert attempt(kuro("probe", "allocate", "256", without=["--memory"]))["errno"] is None


def test_memory_in_tmp_and_shm_counts(kuro):
    fill = ["sh", "-c", "dd if=/dev/zero of=/dev/shm/a bs=1M count=60 && dd if=/dev/zero of=/tmp/a bs=1M count=60 && "
                        "exec probe allocate 60"]
    assert kuro(*fill).returncode == 137
    assert kuro(*fill, without=["--memory"]).returncode == 0


def test_size_of_tmp(kuro):
    fill = ["sh", "-c", "dd if=/dev/zero of=/tmp/big bs=1M count=100 2>&1; stat -c %s /tmp/big"]
    words = kuro(*fill).stdout
    assert "No space left" in words and words.split()[-1] == str(64 << 20)
    assert kuro(*fill, without=["--tmpfs", "--memory"], plus=["--tmpfs=/tmp"]).stdout.split()[-1] == str(100 << 20)


def test_cpu(kuro):
    """The kernel counts the periods in which it held the container back."""
    def spin(cpus):
        script = "probe burn 1 >/dev/null; cat /sys/fs/cgroup/cpu/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/cpu.stat"
        words = kuro("sh", "-c", script, without=["--cpus"], plus=[f"--cpus={cpus}"]).stdout.split()
        return int(words[words.index("nr_throttled") + 1])

    assert spin(0.05) > 0
    assert spin(2) == 0


def test_setuid_program_gives_no_root(kuro):
    words = kuro("probe-setuid", "ids").stdout
    assert json.loads(words)["ids"]["euid"] == 1000, words
    opened = kuro("probe-setuid", "ids", without=["--security-opt"]).stdout
    assert json.loads(opened)["ids"]["euid"] == 0, opened


def test_process_of_another_user_cannot_be_traced(docker):
    container = docker.detached("--cap-drop=ALL", "--user=0", IMAGE, "sleep", "100")
    assert docker.exec_probe(container, "ptrace", "1")["errno"] is None
    result = docker("exec", "--user=1000", container, "probe", "ptrace", "1")
    assert json.loads(result.stdout)["errno"] == "EPERM"
    result = docker("exec", "--user=1000", container, "probe", "kill", "1", "9")
    assert json.loads(result.stdout)["errno"] == "EPERM"


def test_network_has_no_way_out(kuro):
    # The address is that of the private engine's own bridge: with a network it answers, if only with a refusal.
    knock = ["sh", "-c", "ls /sys/class/net; nc -w 2 172.17.0.1 80"]
    result = kuro(*knock)
    assert result.stdout.split() == ["lo"] and "unreachable" in result.stderr
    result = kuro(*knock, without=["--network"])
    assert "eth0" in result.stdout.split() and "refused" in result.stderr


def test_no_other_process_is_seen(kuro):
    words = kuro("sh", "-c", "ls /proc | grep -c '^[0-9]'; cat /proc/1/comm; true").stdout.split()
    assert int(words[0]) <= 4 and words[1] == "sh"


def test_secrets_of_the_host_are_masked(kuro):
    # A masked file reads empty; a masked folder lists nothing.
    script = "cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /sys/firmware /proc/acpi 2>/dev/null | wc -l"
    masked, opened = (kuro("sh", "-c", script, without=["--user"], plus=plus).stdout.split()
                      for plus in ([], ["--security-opt=systempaths=unconfined"]))
    assert masked[0] == "0" and int(opened[0]) > 0, (masked, opened)
