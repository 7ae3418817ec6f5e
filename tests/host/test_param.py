"""kernel/param.c: the kernel command line."""
import pytest

DEFAULTS = {"bad": "0", "cpus": "0", "mem": "0", "swap": "0",
            "virtio": "0", "tlb": "two-pass", "pcid": "1", "batch": "64",
            "readahead": "8", "ranged": "32", "seed": "1",
            "delay": "0", "points": "0:0", "check": "0", "fault": "", "run": ""}


@pytest.fixture
def parse(driver):
    def run(text):
        lines = driver("param_test", ["kernel/param.c"])(text).splitlines()
        said = [s[11:] for s in lines if s.startswith("complaint: ")]
        values = dict(s.split("=", 1) for s in lines
                      if not s.startswith("complaint: "))
        assert set(values) == set(DEFAULTS)
        assert int(values["bad"]) == len(said)
        return values, said
    return run


@pytest.mark.parametrize("text, changed", [
    ("", {}),
    (" \t\r\n ", {}),
    ("cpus=8", {"cpus": "8"}),
    ("cpus=64 mem=256 swap=512", {"cpus": "64", "mem": "256", "swap": "512"}),
    ("swap=8 swap=virtio", {"swap": "8", "virtio": "1"}),
    ("cpus=1 cpus=2", {"cpus": "2"}),  # later words win
    ("tlb=immediate", {"tlb": "immediate"}),
    ("tlb=batch-clean", {"tlb": "batch-clean"}),
    ("tlb=immediate tlb=batch-dirty", {"tlb": "batch-dirty"}),
    ("pcid=off", {"pcid": "0"}),
    ("pcid=off pcid=on", {}),
    ("batch=1", {"batch": "1"}),
    ("batch=256", {"batch": "256"}),
    ("readahead=0 ranged=0", {"readahead": "0", "ranged": "0"}),
    ("readahead=16 ranged=512", {"readahead": "16", "ranged": "512"}),
    ("seed=0", {"seed": "0"}),
    ("seed=18446744073709551615", {"seed": "18446744073709551615"}),
    ("delay=1000", {"delay": "1000"}),
    ("cpus=007", {"cpus": "7"}),
    ("run=demo", {"run": "demo"}),
    ("check=audit", {"check": "2"}),
    ("check=tlb", {"check": "1"}),
    ("check=tlb,audit", {"check": "3"}),
    ("check=tlb,slots,poison", {"check": "d"}),
    ("check=all", {"check": "f"}),
    ("delay=7:unmap", {"points": "7:1"}),
    ("delay=0:clear,cr3,unmap", {"points": "0:403"}),
    ("delay=9:all delay=50", {"points": "9:fff", "delay": "50"}),
    ('run="wl --threads 4"', {"run": "wl --threads 4"}),
    (r'run="echo \"a b\" \\"', {"run": r'echo "a b" \ '[:-1]}),
    ('run="a=b c=d" cpus=2', {"run": "a=b c=d", "cpus": "2"}),
    ('run=""', {}),
    ('"run=x y"', {"run": "x y"}),
    # As GRUB hands on: run=echo "a'b", run="a", run=\a
    (r'"run=echo \"a\'b\""', {"run": '''echo "a'b"'''}),
    (r'run=\"a\"', {"run": '"a"'}),
    (r'run=\\a', {"run": r"\a"}),
    ("run=" + "x" * 511, {"run": "x" * 511}),
    ("fault=" + "x" * 255, {"fault": "x" * 255}),  # init knows what is good
    ("  cpus=3\tmem=64  ", {"cpus": "3", "mem": "64"}),
])
def test_good(parse, text, changed):
    values, said = parse(text)
    assert said == []
    assert values == {**DEFAULTS, **changed}


@pytest.mark.parametrize("text, named", [
    ("cpu=4", ["cpu"]),
    ("CPUS=4", ["CPUS"]),
    ("cpus=", ["cpus"]),
    ("cpus", ["cpus"]),
    ("cpus=0", ["cpus", '"0"']),
    ("cpus=65", ["cpus", '"65"']),
    ("cpus=4x", ["cpus", '"4x"']),
    ("cpus=-1", ["cpus", '"-1"']),
    ("cpus=0x4", ["cpus", '"0x4"']),
    ("cpus=18446744073709551620", ["cpus"]),
    ("mem=99999999999999", ["mem"]),
    ("swap=lots", ["swap", '"lots"']),
    ("tlb=lazyish", ["tlb", '"lazyish"']),
    ("tlb=Two-pass", ["tlb"]),
    ("pcid=", ["pcid"]),
    ("pcid=yes", ["pcid", '"yes"']),
    ("batch=0", ["batch"]),
    ("batch=257", ["batch"]),
    ("readahead=17", ["readahead"]),
    ("ranged=513", ["ranged", "513"]),
    ("seed=18446744073709551616", ["seed"]),
    ("delay=1s", ["delay", '"1s"']),
    ("trace=1", ["trace"]),  # until there is such a thing
    ("check=", ["check"]),
    ("check=tlb,", ["check"]),
    ("check=tlb,all", ["check"]),
    ("check=tl", ["check", '"tl"']),
    ("delay=:all", ["delay"]),
    ("delay=7:", ["delay", '"7:"']),
    ("delay=7:nowhere", ["delay"]),
    ("delay=7:copy,", ["delay"]),
    ("delay=x:copy", ["delay"]),
    ("=4", [""]),
    ("run=" + "x" * 512, ["run"]),
    ("fault=" + "x" * 256, ["fault"]),
    ("run=" + "x" * 5000, ["run"]),
    ('run="open', ["run"]),
    ("cpus=\x01\x7f", ["cpus", "??"]),
])
def test_bad_is_named_and_changes_nothing(parse, text, named):
    values, said = parse(text)
    assert len(said) == 1
    for word in named:
        assert word in said[0]
    assert values == {**DEFAULTS, "bad": "1"}


def test_bad_words_do_not_stop_good_ones(parse):
    values, said = parse("nope=1 cpus=2 tlb=x mem=128 batch")
    assert len(said) == 3
    assert values == {**DEFAULTS, "bad": "3", "cpus": "2", "mem": "128"}
