"""The pure parts of user space: the shell's grammar, init's manifest, the
file server's tree. The scenarios have the sentences of their errors."""
import random

import pytest

SOURCES = ["user/bin/shell/parse.c", "user/servers/init/manifest.c",
           "user/servers/fs/tree.c"]


@pytest.fixture
def run(driver):
    program = driver("userland_test", SOURCES, shim=False)

    def go(what, text):
        return program(what, data=text.encode("latin-1")).splitlines()
    return go


@pytest.mark.parametrize("text,lines", [
    ("", []), ("  # only a comment", []), (" ; ; a;;b", ["0 [a]", "0 [b]"]),
    ("a b|c >d <e", ["0 [a][b] |[c]<e>d"]),
    ("a&&b||c&d", ["0 [a]", "1 [b]", "2 & [c]", "0 [d]"]),
    ("a >>b", ["0 [a]>>b"]), (">b a <c", ["0 [a]<c>b"]),
    ("'a b'\"c $v\"d\\ e", ["0 [a bc a valued e]"]),
    ("$v $w ${v}x '$v' \\$v \"\" $", ["0 [a value][a valuex][$v][$v][][$]"]),
    ("a#b #c", ["0 [a#b]"]), ("a 'b", ["error 2 a quote is not closed"]),
    ("a && # b", ["0 [a]", "error 5 a command is missing"])])
def test_grammar(run, text, lines):
    assert run("parse", text) == lines


def test_manifest(run):
    text = ("# x\n\na bin/a system # y\nB b\nc\nd servers/d keep=8 state=2 "
            "restart=crash\na bin/b\ne f keep=0")
    assert run("manifest", text) == [
        "4: a name is 1 to 15 of a-z 0-9 - _", "5: the program is missing",
        "7: there is a service of this name already",
        "8: unknown word or bad value: keep=0",
        "a bin/a 1 0 0 0 3", "d servers/d 0 2 8 1 6"]


def test_manifest_of_a_driver(run):
    text = "a b irq=0 irq=15 ports=0-0 ports=cf8-ffff\n" + "".join(
        f"x b {word}\n" for word in [
            "irq=16", "irq=", "irq=1x", "ports=", "ports=1", "ports=2-1",
            "ports=1-", "ports=-1", "ports=1-2-3", "ports=00001-2",
            "ports=1-10000", "ports=A-B", "ports=1-2 ports=1-2 ports=1-2"])
    *complaints, service, devices = run("manifest", text)
    assert len(complaints) == 13 and all("bad value" in c for c in complaints)
    assert service == "a b 0 0 0 0 1" and devices == "8001 0+1 cf8+f308"


@pytest.mark.parametrize("what", ["parse", "manifest"])
def test_any_bytes(run, what, seed):
    """Whatever the bytes are: no access outside, no endless loop."""
    rng = random.Random(seed)
    for _ in range(60):
        some = rng.choice(["ab $v{}'\"\\|&;<>#", "ab =\n#keepstat19\0\xff",
                           "".join(map(chr, range(1, 256)))])
        run(what, "".join(rng.choices(some, k=rng.randrange(6000))))


def test_tree(driver, seed):
    driver("userland_test", SOURCES, shim=False)("tree", seed)
