"""Random damages of a file, as disks, networks, programs and people leave them."""

import random


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content after one to four damages."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(DAMAGES)(content, rng)
    return content


def _place(content, rng):
    """Anywhere; half of the time in the first part, where heads are."""
    end = len(content) if rng.random() < 0.5 else min(len(content), 400)
    return rng.randrange(end) if end else 0


def _bits(content, rng):
    changed = bytearray(content)
    for _ in range(rng.choice((1, 3, 20)) if changed else 0):
        changed[_place(changed, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _bytes(content, rng):
    start = _place(content, rng)
    return content[:start] + rng.randbytes(rng.choice((1, 2, 4, 30))) + content[start + 4 :]


def _number(content, rng):
    """An extreme number in the place of another."""
    size = rng.choice((1, 2, 4))
    value = rng.choice((0, 1, -1, 2 ** (8 * size - 1) - 1, rng.randrange(256)))
    start = _place(content, rng)
    order = rng.choice(("little", "big"))
    number = (value % 2 ** (8 * size)).to_bytes(size, order)
    return content[:start] + number + content[start + size :]


def _cut(content, rng):
    return content[: _place(content, rng)]


def _lost(content, rng):
    start = _place(content, rng)
    return content[:start] + content[start + rng.choice((1, 2, 16, 200)) :]


def _twice(content, rng):
    start, length = _place(content, rng), rng.choice((1, 8, 100))
    return content[: start + length] + content[start:]


def _zeros(content, rng):
    start, length = _place(content, rng), rng.choice((4, 64, 512))
    return content[:start] + bytes(length) + content[start + length :]


def _swapped(content, rng):
    first, second = sorted((_place(content, rng), _place(content, rng)))
    return content[second:] + content[first:second] + content[:first]


DAMAGES = (_bits, _bits, _bytes, _number, _number, _cut, _lost, _twice, _zeros, _swapped)
