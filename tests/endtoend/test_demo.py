"""`make demo` shows what it says it shows."""
import os
import struct
import subprocess
import sys

import pytest

from brigtest import requires, settings

TABLE_LAST_LINE = "total       2617     2800       3995   9412"


def run_demo(output, *arguments, **environment):
    return subprocess.run([sys.executable, settings.CHECKOUT / "tools" / "demo", "--output", output, *arguments],
                          capture_output=True, text=True, timeout=280, check=False,
                          env={**os.environ, "BRIG": settings.runtime_binary(), **environment})


@pytest.fixture
def finished(leak_check, tmp_path):
    result = run_demo(tmp_path / "demo")
    assert result.returncode == 0, result.stdout + result.stderr
    return tmp_path / "demo", result.stdout


@requires("root", "program:dpkg-deb", "program:dockerd")
def test_demo(finished):
    output, words = finished
    for name in ("by-hand", "docker"):
        assert TABLE_LAST_LINE in (output / name / "table.txt").read_text()
        picture = (output / name / "report.png").read_bytes()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", picture[16:24]) == (1000, 400)
        assert str(output / name / "report.png") in words
        assert (output / name / "thumbnail.png").stat().st_uid == 1000
    assert words.count("killed by the memory limit (exit code 137)") == 2
    assert words.count("refused: [Errno 30] Read-only file system") == 4
    assert "SUCCEEDED" not in words
    assert "docker run --rm --runtime=brig --network=none --read-only --tmpfs=/tmp:size=64m --memory=128m" in words
    assert "stty size after the window grew: 50 132" in words and "status 130" in words
    numbers = [line.split(".")[0] for line in words.split("\n") if line[:1].isdigit()]
    assert numbers == [str(number + 1) for number in range(len(numbers))]


def test_demo_without_a_runtime_says_what_to_do(tmp_path):
    result = run_demo(tmp_path, BRIG="/no/such/brig")
    assert result.returncode == 1 and "`make`" in result.stderr and "Traceback" not in result.stderr
