"""Host tests: kernel and user C that also compiles here, under sanitizers.

A driver is tests/host/c/NAME.c; it is linked with the sources that it tests
and with shim/, which stands in for arch/ and the scheduler.
"""
import hashlib
import os
import subprocess
import sys

import pytest
from drivers import ROOT, compile_driver

sys.path.insert(0, str(ROOT / "tests"))     # mutants.py
sys.path.insert(0, str(ROOT / "tools"))     # weirlib


class Driver:
    """A compiled driver; call it with arguments to run it."""

    def __init__(self, path):
        self.path = path

    def __call__(self, *args, status=0, data=None, timeout=60, plant=""):
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0",
                   UBSAN_OPTIONS="print_stacktrace=1", WEIR_PLANT=plant)
        done = subprocess.run([self.path, *map(str, args)], input=data,
                              capture_output=True, timeout=timeout, env=env)
        text = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode == status, text
        return text


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    """driver(NAME, sources, sanitizer): compiles once a session."""
    built = {}
    folder = tmp_path_factory.mktemp("host")

    def build(name, sources, sanitizer="asan", flags=(), shim=True):
        key = (name, tuple(sources), sanitizer, tuple(flags))
        if key in built:
            return built[key]
        tag = hashlib.sha1(repr(key).encode()).hexdigest()[:8]
        out = folder / f"{name}-{tag}"
        compile_driver(out, name, sources, sanitizer, flags, shim)
        built[key] = Driver(out)
        return built[key]

    return build


@pytest.fixture
def seed():
    """A new seed every run; HOST_SEED= repeats one."""
    value = os.environ.get("HOST_SEED")
    value = int(value) if value else int.from_bytes(os.urandom(4), "big") + 1
    print(f"seed {value} (repeat with HOST_SEED={value})")
    return value
