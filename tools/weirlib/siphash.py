"""SipHash-2-4, which user/tests/labrun/siphash.c signs records with."""

MASK = (1 << 64) - 1
START = (0x736F6D6570736575, 0x646F72616E646F6D,
         0x6C7967656E657261, 0x7465646279746573)


def rotate(x, by):
    return (x << by | x >> (64 - by)) & MASK


def rounds(v, n):
    a, b, c, d = v
    for _ in range(n):
        a, c = (a + b) & MASK, (c + d) & MASK
        b, d = rotate(b, 13) ^ a, rotate(d, 16) ^ c
        a = rotate(a, 32)
        c, a = (c + b) & MASK, (a + d) & MASK
        b, d = rotate(b, 17) ^ c, rotate(d, 21) ^ a
        c = rotate(c, 32)
    return [a, b, c, d]


def siphash(key, data):
    """`key` is two numbers of 64 bits; the tag is another."""
    v = [start ^ key[i % 2] for i, start in enumerate(START)]
    rest = len(data) % 8
    tail = data[len(data) - rest:] + bytes(7 - rest) + \
        bytes([len(data) & 0xFF])
    padded = data[:len(data) - rest] + tail
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at:at + 8], "little")
        v[3] ^= word
        v = rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    v = rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
