"""tools/register-docker, register-containerd and register-podman: what they change, what they keep, what they refuse."""
import json
import os
import subprocess
import sys
import tomllib

import pytest

from brigtest import requires, settings, wait_until

OTHER_SETTINGS = """{
  "log-driver": "local",
  "runtimes": {
    "runsc": {"path": "/usr/local/bin/runsc", "runtimeArgs": ["--platform=kvm"]}
  },
  "x-unknown": {"a": [1, 2.50, "\\u00fc"]}
}
"""

CONTAINERD_2 = """# kept comment
version = 2
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""

CONTAINERD_3 = """version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
"""


class Tool:
    def __init__(self, name, config, runtime, *always):
        self.command = [sys.executable, str(settings.CHECKOUT / "tools" / name), "--config", str(config), *always]
        self.runtime = str(runtime)
        self.config = config

    def run(self, *arguments):
        return subprocess.run([*self.command, *arguments], capture_output=True, text=True, timeout=30, check=False)

    def add(self, *arguments):
        result = self.run("--path", self.runtime, *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def remove(self, *arguments):
        result = self.run("--remove", *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def refuse(self, *arguments):
        """The words of a refusal, which must leave the file and its folder alone."""
        before = self.files()
        result = self.run(*arguments)
        assert result.returncode == 1, (result.stdout, result.stderr)
        assert result.stderr.count("\n") == 1 and "Traceback" not in result.stderr, result.stderr
        assert self.files() == before
        return result.stderr

    def files(self):
        folder = self.config.parent
        return {name: (folder / name).read_bytes() for name in os.listdir(folder)} if folder.exists() else {}

    def backups(self):
        return sorted(name for name in os.listdir(self.config.parent) if "brig-backup" in name)


@pytest.fixture
def fake_runtime(tmp_path):
    path = tmp_path / "bin" / "brig"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\necho brig version 0.0-test\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def docker_tool(tmp_path, fake_runtime):
    return Tool("register-docker", tmp_path / "etc" / "daemon.json", fake_runtime, "--pidfile", str(tmp_path / "no.pid"))


@pytest.fixture
def docker_config(docker_tool):
    docker_tool.config.parent.mkdir()
    docker_tool.config.write_text(OTHER_SETTINGS)
    docker_tool.config.chmod(0o640)
    return docker_tool.config


@pytest.fixture
def containerd_tool(tmp_path, fake_runtime):
    (tmp_path / "etc").mkdir()
    return Tool("register-containerd", tmp_path / "etc" / "config.toml", fake_runtime)


@pytest.fixture
def podman_tool(tmp_path, fake_runtime):
    (tmp_path / "containers.conf.d").mkdir()
    return Tool("register-podman", tmp_path / "containers.conf.d" / "brig.conf", fake_runtime,
                "--base", str(tmp_path / "containers.conf"))


# ---- with a policy

@pytest.mark.parametrize("tool", ["docker_tool", "containerd_tool", "podman_tool"])
def test_policy_is_an_entry_of_its_own_by_a_link(tool, request, fake_runtime):
    tool = request.getfixturevalue(tool)
    words = tool.add("--policy", "strict")
    link = fake_runtime.with_name("brig-strict")
    assert os.readlink(link) == "brig" and str(link) in words
    text = tool.config.read_text()
    assert "brig-strict" in text and str(link) in text
    assert "already registered" in tool.add("--policy", "strict")
    tool.remove("--path", tool.runtime, "--policy", "strict")
    assert not os.path.lexists(link)
    assert not tool.config.exists() or "brig-strict" not in tool.config.read_text()


def test_policy_dry_run_makes_no_link(docker_tool, fake_runtime):
    docker_tool.add("--policy", "strict", "--dry-run")
    assert not os.path.lexists(fake_runtime.with_name("brig-strict"))


def test_policy_that_the_runtime_does_not_know(docker_tool, docker_config, fake_runtime):
    fake_runtime.write_text('#!/bin/sh\n[ "$1" != policy ] || { echo no such policy >&2; exit 1; }\necho brig version 0.0-test\n')
    assert "no such policy" in docker_tool.refuse("--path", docker_tool.runtime, "--policy", "strict")
    assert "cannot be the name" in docker_tool.refuse("--path", docker_tool.runtime, "--policy", "../x")
    fake_runtime.write_text("#!/bin/sh\necho brig version 0.0-test\n")
    fake_runtime.with_name("brig-strict").write_text("mine")
    assert "is no link" in docker_tool.refuse("--path", docker_tool.runtime, "--policy", "strict")


# ---- Docker

def test_docker_file_is_made_when_there_is_none(docker_tool):
    words = docker_tool.add()
    assert json.loads(docker_tool.config.read_text()) == {"runtimes": {"brig": {"path": docker_tool.runtime}}}
    assert docker_tool.config.stat().st_mode & 0o777 == 0o644
    assert "brig version 0.0-test" in words and "registered in" in words
    assert "dockerd is not running" in words
    assert docker_tool.backups() == []


def test_docker_keeps_every_other_setting_and_its_looks(docker_tool, docker_config):
    docker_tool.add()
    expected = json.loads(OTHER_SETTINGS)
    expected["runtimes"]["brig"] = {"path": docker_tool.runtime}
    text = docker_config.read_text()
    assert json.loads(text) == expected
    assert list(json.loads(text)) == ["log-driver", "runtimes", "x-unknown"]
    assert text.startswith('{\n  "log-driver"') and "ü" in text and text.endswith("}\n")
    assert docker_config.stat().st_mode & 0o777 == 0o640


def test_docker_backup_holds_the_old_text(docker_tool, docker_config):
    words = docker_tool.add()
    (backup,) = docker_tool.backups()
    assert (docker_config.parent / backup).read_text() == OTHER_SETTINGS
    assert (docker_config.parent / backup).stat().st_mode & 0o777 == 0o640
    assert backup in words


def test_docker_second_run_touches_nothing(docker_tool, docker_config):
    docker_tool.add()
    before, facts = docker_tool.files(), docker_config.stat()
    assert "already registered" in docker_tool.add()
    assert docker_tool.files() == before
    assert docker_config.stat().st_ino == facts.st_ino and docker_config.stat().st_mtime_ns == facts.st_mtime_ns


def test_docker_other_path_replaces_the_entry_and_keeps_its_arguments(docker_tool, docker_config):
    config = json.loads(OTHER_SETTINGS)
    config["runtimes"]["brig"] = {"path": "/old/brig", "runtimeArgs": ["--debug"]}
    docker_config.write_text(json.dumps(config))
    docker_tool.add()
    assert json.loads(docker_config.read_text())["runtimes"]["brig"] == {"path": docker_tool.runtime,
                                                                        "runtimeArgs": ["--debug"]}


def test_docker_remove_gives_back_the_same_settings(docker_tool, docker_config):
    docker_tool.add()
    docker_tool.remove()
    assert json.loads(docker_config.read_text()) == json.loads(OTHER_SETTINGS)
    assert "is not registered" in docker_tool.remove()
    assert len(docker_tool.backups()) == 2


def test_docker_remove_does_not_need_the_binary(docker_tool, docker_config, fake_runtime):
    docker_tool.add()
    fake_runtime.unlink()
    docker_tool.remove()
    assert "brig" not in json.loads(docker_config.read_text())["runtimes"]


def test_docker_dry_run_shows_the_change_alone(docker_tool, docker_config):
    before = docker_tool.files()
    words = docker_tool.add("--dry-run")
    assert f'+      "path": "{docker_tool.runtime}"' in words and "was not changed" in words
    assert docker_tool.files() == before


def test_docker_symlinked_file_stays_a_link(docker_tool, docker_config, tmp_path):
    real = tmp_path / "elsewhere.json"
    docker_config.rename(real)
    docker_config.symlink_to(real)
    docker_tool.add()
    assert docker_config.is_symlink() and "brig" in json.loads(real.read_text())["runtimes"]


def test_docker_other_name(docker_tool):
    docker_tool.add("--name", "brig-test")
    assert list(json.loads(docker_tool.config.read_text())["runtimes"]) == ["brig-test"]


@pytest.mark.parametrize("text, words", [
    ('{"runtimes": {},}', "line 1, column 17"),
    ('{\n  "a": 1\n  "b": 2\n}\n', "line 3, column 3"),
    ("[]", "no JSON object at its top"),
    ('{"runtimes": []}', '"runtimes"'),
    ('{"debug": true, "debug": false}', '"debug" is there twice'),
])
def test_docker_refuses_a_file_it_would_spoil(docker_tool, docker_config, text, words):
    docker_config.write_text(text)
    said = docker_tool.refuse("--path", docker_tool.runtime)
    assert words in said and "nothing was changed" in said


def test_docker_refuses_to_remove_the_default_runtime(docker_tool, docker_config):
    docker_config.write_text(json.dumps({"default-runtime": "brig", "runtimes": {"brig": {"path": "/b"}}}))
    assert "default-runtime" in docker_tool.refuse("--remove")


def test_runtime_has_to_be_there(docker_tool, docker_config, tmp_path):
    assert "no such file" in docker_tool.refuse("--path", str(tmp_path / "missing"))
    assert "absolute path" in docker_tool.refuse("--path", "bin/brig")


def test_runtime_has_to_be_executable(docker_tool, docker_config, fake_runtime):
    fake_runtime.chmod(0o644)
    said = docker_tool.refuse("--path", docker_tool.runtime)
    assert "not executable" in said and "chmod 755" in said


def test_runtime_has_to_answer(docker_tool, docker_config, fake_runtime):
    fake_runtime.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    said = docker_tool.refuse("--path", docker_tool.runtime)
    assert "exits with 3" in said and "broken" in said


def test_name_has_to_be_plain(docker_tool, docker_config):
    assert "cannot be the name" in docker_tool.refuse("--path", docker_tool.runtime, "--name", "a b")


def test_docker_stale_pid_file_signals_nobody(docker_tool, tmp_path):
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (tmp_path / "no.pid").write_text(str(bystander.pid))
        assert "dockerd is not running" in docker_tool.add()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("name", ["register-docker", "register-containerd", "register-podman"])
def test_help_has_an_example(name):
    result = subprocess.run([sys.executable, settings.CHECKOUT / "tools" / name, "--help"], capture_output=True, text=True,
                            check=True)
    assert f"example:\n  sudo tools/{name} --path" in result.stdout and "--dry-run" in result.stdout


@requires("root")
def test_running_dockerd_takes_the_new_runtime(engine, leak_check):
    """The whole way on a living daemon: the file, the signal, the list in docker info."""
    def names():
        return set(json.loads(engine.docker("info", "--format", "{{json .Runtimes}}")))

    def tool(*arguments):
        return subprocess.run([sys.executable, settings.CHECKOUT / "tools" / "register-docker", "--config",
                               engine.settings_file, "--pidfile", engine.pidfile, "--name", "second", *arguments],
                              capture_output=True, text=True, check=True).stdout

    assert "second" not in names()
    assert "was told to read it again" in tool("--path", settings.runtime_binary())
    wait_until(lambda: "second" in names(), "docker info to list the new runtime")
    assert "brig" in names()
    tool("--remove")
    wait_until(lambda: "second" not in names(), "docker info to forget the runtime")


# ---- containerd

@pytest.mark.parametrize("text, plugin", [(CONTAINERD_2, "io.containerd.grpc.v1.cri"),
                                          (CONTAINERD_3, "io.containerd.cri.v1.runtime"),
                                          (None, "io.containerd.grpc.v1.cri")])
def test_containerd_runtime_is_added(containerd_tool, text, plugin):
    if text is not None:
        containerd_tool.config.write_text(text)
    words = containerd_tool.add()
    after = containerd_tool.config.read_text()
    assert after.startswith(text or "version = 2\n")
    runtimes = tomllib.loads(after)["plugins"][plugin]["containerd"]["runtimes"]
    assert runtimes["brig"] == {"runtime_type": "io.containerd.runc.v2",
                                "options": {"BinaryName": containerd_tool.runtime, "SystemdCgroup": False}}
    assert ("runc" in runtimes) == (text is not None)
    assert "restart containerd" in words


def test_containerd_remove_is_exact(containerd_tool):
    containerd_tool.config.write_text(CONTAINERD_2)
    containerd_tool.add()
    containerd_tool.add("--name", "second")
    containerd_tool.remove()
    assert "second" in containerd_tool.config.read_text()
    containerd_tool.remove("--name", "second")
    assert containerd_tool.config.read_text() == CONTAINERD_2
    assert "is not registered" in containerd_tool.remove()


def test_containerd_second_run_touches_nothing(containerd_tool):
    containerd_tool.config.write_text(CONTAINERD_2)
    containerd_tool.add()
    before = containerd_tool.files()
    assert "already registered" in containerd_tool.add()
    assert containerd_tool.files() == before and len(containerd_tool.backups()) == 1


def test_containerd_changed_options_replace_the_block(containerd_tool):
    containerd_tool.config.write_text(CONTAINERD_2)
    containerd_tool.add()
    containerd_tool.add("--systemd-cgroup")
    after = containerd_tool.config.read_text()
    assert after.count("[plugins") == CONTAINERD_2.count("[plugins") + 2 and "SystemdCgroup = true" in after


def test_containerd_defaults_of_the_distribution_are_accepted(containerd_tool):
    answer = subprocess.run(["containerd", "config", "default"], capture_output=True, text=True, check=True)
    containerd_tool.config.write_text(answer.stdout)
    containerd_tool.add()
    check = subprocess.run(["containerd", "--config", containerd_tool.config, "config", "dump"], capture_output=True,
                           text=True, check=True)
    assert f'BinaryName = "{containerd_tool.runtime}"' in check.stdout


def test_containerd_warns_when_the_plugin_is_off(containerd_tool):
    containerd_tool.config.write_text('version = 2\ndisabled_plugins = ["cri"]\n')
    assert "disabled_plugins" in containerd_tool.add()


@pytest.mark.parametrize("text, words", [
    ("version = 2\n[plugins\n", "not valid TOML"),
    ('root = "/var/lib/containerd"\n', "configuration version 1"),
    ("version = 9\n", "configuration version 9"),
    (CONTAINERD_2.replace("runtimes.runc", "runtimes.brig"), "did not write"),
    (CONTAINERD_2 + "# brig: runtime brig begins\n", "not there exactly once"),
])
def test_containerd_refuses_a_file_it_would_spoil(containerd_tool, text, words):
    containerd_tool.config.write_text(text)
    said = containerd_tool.refuse("--path", containerd_tool.runtime)
    assert words in said and "nothing was changed" in said


# ---- Podman

def podman_engine(tool):
    return tomllib.loads(tool.config.read_text())["engine"]


def test_podman_drop_in(podman_tool):
    podman_tool.add()
    engine = podman_engine(podman_tool)
    assert engine["runtimes"] == {"brig": [podman_tool.runtime]}
    assert engine["runtime_supports_json"] == ["crun", "runc", "kata", "runsc", "krun", "brig"]


def test_podman_keeps_the_list_that_holds(podman_tool, tmp_path):
    (tmp_path / "containers.conf").write_text('[engine]\nruntime_supports_json = ["crun"]\n')
    (podman_tool.config.parent / "10-mine.conf").write_text('[engine]\nruntime_supports_json = ["crun", "youki"]\n')
    podman_tool.add()
    assert podman_engine(podman_tool)["runtime_supports_json"] == ["crun", "youki", "brig"]


def test_podman_says_when_a_later_file_wins(podman_tool):
    (podman_tool.config.parent / "zz.conf").write_text('[engine]\nruntime_supports_json = ["crun"]\n')
    words = podman_tool.add()
    assert "zz.conf is read later" in words


def test_podman_second_run_and_removal(podman_tool):
    podman_tool.add()
    before = podman_tool.files()
    assert "already registered" in podman_tool.add()
    assert podman_tool.files() == before
    podman_tool.remove()
    assert not podman_tool.config.exists() and podman_tool.backups() == []
    assert "is not registered" in podman_tool.remove()


def test_podman_leaves_a_foreign_file_alone(podman_tool):
    podman_tool.config.write_text("[engine]\n")
    assert "was not written by this tool" in podman_tool.refuse("--path", podman_tool.runtime)
