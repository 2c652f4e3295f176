"""Threads follow what this process may use, not what the machine has."""

import os
import subprocess
import sys

import pytest

from pico_plugins import cpus
from pico_plugins.pipeline import MAX_THREADS, thread_count


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes control groups: the lines of /proc/self/cgroup, and files below /sys/fs/cgroup."""

    def write(membership: str, files: dict[str, str], usable: int = 64) -> None:
        (tmp_path / "membership").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "groups" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        monkeypatch.setattr(cpus, "_usable", lambda: usable)

    monkeypatch.setattr(cpus, "_MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(cpus, "_CGROUPS", tmp_path / "groups")
    return write


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "200000 100000"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000"}, 2),  # one and a half
        ("0::/\n", {"cpu.max": "5000 100000"}, 1),
        ("0::/\n", {"cpu.max": "max 100000"}, 64),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),  # the outer group's
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "100000 50000"}, 2),
        ("0::/elsewhere\n", {"cpu.max": "200000 100000"}, 2),  # a path of the host, in a container
        ("3:cpu,cpuacct:/docker/1\n0::/\n", {"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
        ("3:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, 64),
        ("3:memory:/a\n", {"cpu/a/cpu.cfs_quota_us": "100000", "cpu/a/cpu.cfs_period_us": "100000"}, 64),
        ("0::/\n", {"cpu.max": "what is this"}, 64),
        ("0::/\n", {}, 64),
        ("", {}, 64),
    ],
)
def test_quotas_of_control_groups(groups, membership, files, expected):
    groups(membership, files)
    assert cpus.cpu_count() == expected
    assert thread_count(None) == min(expected, MAX_THREADS)
    assert thread_count(7) == 7  # who names a number gets it


def test_a_quota_above_the_cpus_adds_none(groups):
    groups("0::/\n", {"cpu.max": "800000 100000"}, usable=2)
    assert cpus.cpu_count() == 2


def test_without_control_groups(monkeypatch, tmp_path):
    monkeypatch.setattr(cpus, "_MEMBERSHIP", tmp_path / "none")
    assert cpus.cpu_count() >= 1


@pytest.mark.parametrize(("limit", "expected"), [("1", 1), ("default", None)])
def test_python_cpu_count(limit, expected):
    code = "from pico_plugins.cpus import cpu_count; print(cpu_count())"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_CPU_COUNT"}

    def count(**more: str) -> int:
        return int(subprocess.run([sys.executable, "-c", code], env=environment | more, stdout=-1, check=True).stdout)

    assert count(PYTHON_CPU_COUNT=limit) == (expected or count())
