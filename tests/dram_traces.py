"""The reference traces by the rules of reference/memory/dram_trace_generators.csv; a request is one 64-byte burst."""

import re
from functools import cache

import numpy as np

WRITE_REGION = 0x08000000
#: shifted by eight 8-KiB rows: other banks on DDR4, the same ones where there are eight banks
OTHER_BANKS = 0x10000


@cache
def trace(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(byte address, 1 = write, arrival clock) of every request, each [n] int64; name: as in the reference tables."""
    gap = re.fullmatch(r"(rand_read|seq_read)_gap(\d+)", name)
    if gap:
        G = int(gap[2])
        n = 16384 if gap[1] == "seq_read" and G == 8 else 4096
        address = trace(gap[1])[0][:n]
        return address, np.zeros(n, np.int64), G * np.arange(n)
    address, write = _RULES[name]()
    address, write = np.asarray(address, np.int64), np.asarray(write, np.int64)
    return address, write, np.zeros(len(address), np.int64)


def _linear(n: int, stride: int, write: int = 0):
    return stride * np.arange(n), np.full(n, write)


def _random(n: int = 16384) -> np.ndarray:
    x, found = 12345, []
    for _ in range(n):
        x = (1664525 * x + 1013904223) % 2**32
        found.append((x >> 8) % 2**22 * 64)
    return np.array(found)


def _tiles(shift: int):
    """256 reads, then 256 writes, 32 times."""
    inside = 64 * np.arange(256)
    parts = [(base + p * 16384 + inside, w) for p in range(32) for base, w in ((0, 0), (WRITE_REGION + shift, 1))]
    return np.concatenate([address for address, _ in parts]), np.repeat([w for _, w in parts], 256)


def _copy(shift: int):
    """Reads and writes in turn."""
    i = np.arange(8192)
    return np.stack([64 * i, WRITE_REGION + shift + 64 * i], 1).ravel(), np.tile([0, 1], 8192)


def _conv():
    """Eight tiles of a 56 x 56 x 64 convolution: weights, inputs, the previous tile's outputs, 8 requests in turn."""
    requests: list[tuple[int, int]] = []
    outputs: list[tuple[int, int]] = []
    for t in range(8):
        ty, tx = t // 2, t % 2
        top = min(max(14 * ty - 1, 0), 40)
        inputs = [(0x01000000 + c * 7168 + (top + r) * 128 + tx * 64, 0) for c in range(64) for r in range(16)]
        weights = [(0x02000000 + 64 * i, 0) for i in range(1152)]
        requests += _round_robin([weights, inputs, outputs], 8)
        outputs = [(0x03000000 + c * 7168 + (14 * ty + r) * 128 + tx * 64, 1) for c in range(64) for r in range(14)]
    return zip(*(requests + outputs), strict=True)


def _round_robin(streams: list[list], turn: int) -> list:
    merged, place = [], [0] * len(streams)
    while any(at < len(stream) for at, stream in zip(place, streams, strict=True)):
        for i, stream in enumerate(streams):
            merged += stream[place[i] : place[i] + turn]
            place[i] += turn
    return merged


_RULES = {
    "seq_read": lambda: _linear(16384, 64),
    "seq_write": lambda: _linear(16384, 64, 1),
    "rand_read": lambda: (_random(), np.zeros(16384)),
    "rand_rw21": lambda: (_random(), np.arange(16384) % 3 == 2),
    "stride8k_read": lambda: _linear(16384, 8192),
    "stride128k_read": lambda: _linear(4096, 131072),
    "stride256k_read": lambda: _linear(4096, 262144),
    "tile16k_rw_samebank": lambda: _tiles(0),
    "tile16k_rw_diffbank": lambda: _tiles(OTHER_BANKS),
    "copy_fine_samebank": lambda: _copy(0),
    "copy_fine_diffbank": lambda: _copy(OTHER_BANKS),
    "dnn_conv": _conv,
}
#: every trace that a rule names
NAMES = (*_RULES, *(f"rand_read_gap{G}" for G in (8, 16, 32, 128)), "seq_read_gap8", "seq_read_gap64")
