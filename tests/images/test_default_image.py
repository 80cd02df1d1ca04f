"""The image that brig makes by itself, and `brig image build`."""
import os

from brigtest import requires


@requires("program:dpkg-deb", "program:apt-get", "root")
def test_the_first_command_of_a_new_machine(runtime, workdir):
    store = ("--store", workdir / "store")
    first = runtime.call("run", "--image", "shell", *store, "bash", "-c", "git --version; id -u", timeout=280)
    assert first.code == 0, first
    assert first.out.startswith("git version ") and first.out.endswith("\n1000\n")
    assert "shell is ready" in first.err
    again = runtime.call("sandbox", "run", *store, "--", "bash", "-c", "echo $BASH_VERSION")
    assert again.code == 0 and again.out.startswith("5."), again
    assert again.err == ""
    assert os.listdir(workdir / "store/tmp") == []


@requires("root")
def test_a_build_that_fails_leaves_nothing(runtime, workdir):
    result = runtime.call("run", "--image", "shell", "--store", workdir / "store", "true", env={**os.environ, "PATH": "/nowhere"})
    assert result.code == 1 and '"shell" could not be built' in result.err, result
    for kept in ("tmp", "images", "names"):
        assert os.listdir(workdir / "store" / kept) == []


def test_recipes_that_are_none(runtime, workdir):
    for name in ("nothing", "../shell", "debian"):
        result = runtime.call("image", "build", "--store", workdir / "store", name)
        assert result.code != 0 and ("no recipe" in result.err or "name" in result.err), result
