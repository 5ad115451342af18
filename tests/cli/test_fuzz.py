"""Mutated files are read or refused, in one line and within a second: never another exception."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from workloads import InputError, load_network
from workloads.importers.scalesim import write_topology

from .calls import TINY, call, net

SECONDS = 1.0
WORDS = (
    b"{", b"}", b":", b"0", b"-1", b"4294967295", b"1048576", b"1e9", b"\xff", b"\xc2\xb2", b"'", b'"', b"#", b"\0",
    b"\n", b"layer {", b"dim:", b"name: {}", b"type: 'Input'", b"bottom: ''", b"input_param {", b"kernel_size: 0",
    b"group: 3",
)  # fmt: skip


def mutant(data: bytes, rng: np.random.Generator, words: tuple[bytes, ...]) -> bytes:
    """One to four changes: a bit flipped, a byte set, a piece cut out or doubled, a word put in, the end cut off."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        size = max(1, len(changed))
        # small files begin with what matters most: half of the changes go there
        at = int(rng.integers(0, size if rng.random() < 0.5 else min(size, 2000)))
        length = int(rng.integers(1, 40))
        piece = bytes(changed[at : at + length])
        word = words[rng.integers(len(words))]
        change = rng.integers(0, 7)
        if change == 0 and changed:
            changed[at] ^= 1 << rng.integers(0, 8)
        elif change == 1 and changed:
            changed[at] = rng.integers(0, 256)
        elif change == 2:
            del changed[at : at + length]
        elif change == 3:
            changed[at:at] = piece
        elif change == 4:
            changed[at : at + len(word)] = word
        elif change == 5:
            changed[at:at] = word
        elif rng.random() < 0.3:
            del changed[at:]
    return bytes(changed)


@pytest.fixture(params=[200, pytest.param(2000, marks=pytest.mark.slow)])
def mutants(request) -> int:
    return request.param


def survive(
    good: bytes, path: Path, load: Callable[[], object], seed: int, words: tuple[bytes, ...], mutants: int
) -> set[str]:
    """What became of the mutants: 'read', 'refused'. Anything else than a network or an InputError is raised."""
    rng, outcomes = np.random.default_rng(seed), set()
    for number in range(mutants):
        path.write_bytes(mutant(good, rng, words) if number else good)
        began = time.process_time()
        try:
            load()
            outcomes.add("read")
        except InputError as error:
            assert str(error)
            assert "\n" not in str(error)
            outcomes.add("refused")
        except Exception as error:
            raise AssertionError(f"mutant {number} of seed {seed}: {error!r}") from error
        assert time.process_time() - began < SECONDS, f"mutant {number} of seed {seed}"
    return outcomes


BYTES = tuple(bytes([byte]) * 4 for byte in (0, 1, 0x7F, 0x80, 0xFF))


def test_small_weight_files(tmp_path, mutants):
    (tmp_path / "n.prototxt").write_text(TINY)
    path, good = tmp_path / "w.net", net([(40 * 27, 40), (40 * 360, 40)])
    outcomes = survive(good, path, lambda: load_network(tmp_path / "n.prototxt", weights=path), 1, BYTES, mutants)
    assert outcomes == {"read", "refused"}


def test_the_released_weight_file(tmp_path, shared, mutants):
    path = tmp_path / "w.net"
    good = (shared / "data/squeezenet_deep_compression/compressed_SqueezeNet.net").read_bytes()
    outcomes = survive(good, path, lambda: load_network("squeezenet1_0", weights=path), 2, BYTES, mutants)
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize("seed", [3, 4])
def test_a_small_prototxt(seed, tmp_path, mutants):
    path = tmp_path / "n.prototxt"
    assert survive(TINY.encode(), path, lambda: load_network(path), seed, WORDS, mutants) == {"read", "refused"}


@pytest.mark.slow
def test_the_released_prototxt(tmp_path, shared, mutants):
    path = tmp_path / "n.prototxt"
    good = (shared / "data/squeezenet_deep_compression/SqueezeNet_deploy.prototxt").read_bytes()
    assert survive(good, path, lambda: load_network(path), 5, WORDS, mutants) == {"read", "refused"}


def test_a_topology(tmp_path, mutants):
    path, good = tmp_path / "t.csv", write_topology(load_network("alexnet")).encode()
    assert survive(good, path, lambda: load_network(path), 6, WORDS, mutants) == {"read", "refused"}


SAMPLES = {
    "n.prototxt": "data/squeezenet_deep_compression/SqueezeNet_deploy.prototxt",
    "m.tflite": "data/mobilenet_int8/vww_96_int8.tflite",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_command_reads_or_refuses_mutants(name, tmp_path, shared):
    """Twenty through the command line: a table, or one line and exit code 2."""
    good, rng, codes = (shared / SAMPLES[name]).read_bytes(), np.random.default_rng(7), set()
    for number in range(20):
        words = WORDS if name.endswith("prototxt") else BYTES
        (tmp_path / name).write_bytes(mutant(good, rng, words) if number else good)
        done = call("show", "network", tmp_path / name)
        codes.add(done.code)
        assert (done.code == 0) == bool(done.out)
        assert done.code == 0 or done.line.startswith(f"accel-sim show: {tmp_path / name}")
    assert codes == {0, 2}
