"""Host tests: kernel and user C that also compiles here, under sanitizers.

A driver is tests/host/c/NAME.c; it is linked with the sources that it tests
and with shim/, which stands in for arch/ and the scheduler.
"""
import hashlib
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
FLAGS = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror",
         "-Wno-unused-parameter", "-fno-omit-frame-pointer",
         "-I" + str(HERE / "shim"), "-I" + str(HERE / "c"),
         "-I" + str(ROOT), "-pthread"]
SANITIZE = {
    "asan": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "tsan": ["-fsanitize=thread"],
}


class Driver:
    """A compiled driver; call it with arguments to run it."""

    def __init__(self, path):
        self.path = path

    def __call__(self, *args, status=0, data=None, timeout=60):
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0",
                   UBSAN_OPTIONS="print_stacktrace=1")
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
        if os.environ.get("WEIR_MUTANT"):  # tests/mutants.py
            flags = (*flags, "-DMUTANT=" + os.environ["WEIR_MUTANT"])
        key = (name, tuple(sources), sanitizer, tuple(flags))
        if key in built:
            return built[key]
        tag = hashlib.sha1(repr(key).encode()).hexdigest()[:8]
        out = folder / f"{name}-{tag}"
        files = [HERE / "c" / f"{name}.c", *(ROOT / s for s in sources)]
        if shim:
            files.append(HERE / "shim" / "shim.c")
        missing = [f for f in files if not f.exists()]
        assert not missing, f"no such source: {missing}"
        done = subprocess.run(
            ["gcc", *FLAGS, *SANITIZE[sanitizer], *flags, "-o", out,
             *map(str, files)], capture_output=True, text=True)
        if done.returncode != 0 and os.environ.get("WEIR_MUTANT"):
            # A bug that does not compile has not been caught by the test.
            pytest.exit(done.stderr, returncode=3)
        assert done.returncode == 0, done.stderr
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
