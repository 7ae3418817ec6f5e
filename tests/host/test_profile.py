"""tools/weirlib/profile.py: from QEMU's log to instructions by function."""

from collections import Counter

from weirlib import profile

TEXT = """\
ffffffff80100000 <first>:
ffffffff80100000:	push   %rbp
ffffffff80100001:	cmp    %eax,%edx
ffffffff80100003:	jne    ffffffff80100007 <first+0x7>
ffffffff80100005:	inc    %eax
ffffffff80100007:	rep movsq %ds:(%rsi),%es:(%rdi)
ffffffff8010000a:	mov    %rax,%cr3

ffffffff80100010 <second>:
ffffffff80100010:	nop
ffffffff80100011:	ret
"""
LOG = b"""\
Trace 0: 0x7f [0000000000000000/ffffffff80100000/0040c0b0/ff]
Trace 0: 0x7f [0000000000000000/ffffffff80100007/0040c0b0/ff]
Trace 0: 0x7f [0000000000000000/ffffffff80100007/0040c0b0/ff]
Stopped execution of TB chain before 0x7f
Trace 0: 0x7f [0000000000000000/ffffffff80100010/0040c0b0/ff]
"""


def test_blocks_end_at_branches():
    base = 0xffffffff80100000
    assert profile.code(TEXT) == {
        base: ("first", 3), base + 1: ("first", 2), base + 3: ("first", 1),
        base + 5: ("first", 2), base + 7: ("first", 1),
        base + 10: ("first", 1), base + 16: ("second", 2),
        base + 17: ("second", 1)}


def test_the_log_is_counted(tmp_path):
    (tmp_path / "log").write_bytes(LOG)
    counts = Counter()
    profile.tally(tmp_path / "log", counts)
    assert counts == {b"ffffffff80100000": 1, b"ffffffff80100007": 2,
                      b"ffffffff80100010": 1}


def test_table():
    assert profile.table(Counter(first=30, second=10), 10, 1).splitlines() == [
        "       4.0  100.0 %  all of the kernel", "       3.0   75.0 %  first"]
