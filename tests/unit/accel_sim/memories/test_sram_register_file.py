"""Register files: the regime of every size, flip-flops by hand, scaling to other nodes, refusals."""

import re

import numpy as np
import pytest

from accel_sim.machine.config import from_tree, load_hardware, to_tree
from accel_sim.memories import sram_macro
from accel_sim.memories.register_file import RegisterFile

FIGURES = ("read_pj", "write_pj", "leakage_mw", "area_um2", "access_ns")


def file(capacity_bytes: float, word_bits: int = 16, **fields) -> RegisterFile:
    return RegisterFile("spad", capacity_bytes, ("weights",), word_bits, **fields)


def test_flip_flops_by_hand():
    """12 words of 16 bits: 12 comparators of 4 bits find the word; one port reads, one writes."""
    found = file(24).macro
    assert found.read_pj == found.write_pj == pytest.approx(16 * 0.009 + 12 * 4 / 32 * 0.0295)
    assert found.area_um2 == pytest.approx(192 * 5.98 + 2 * 12 * 4 / 32 * 71)
    assert found.leakage_mw == pytest.approx(192 * 7e-5 + 2 * 12 * 4 / 32 * 2.51e-5)
    assert found.access_ns == 1.0
    assert found.source == "12 x 16 flip-flops, address comparators: Aladdin 40 nm (Accelergy plug-in)"


@pytest.mark.parametrize(("words", "address_bits"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (16, 4), (17, 5)])
def test_address_bits_of_a_file(words, address_bits):
    assert file(2 * words).macro.read_pj == pytest.approx(0.144 + words * address_bits / 32 * 0.0295)


def test_a_half_filled_word_is_a_word():
    assert file(3).macro.source.startswith("2 x 16 flip-flops")


def test_more_ports_cost_area_and_leakage_but_not_energy():
    one, three = file(24), file(24, ports="2r1w")
    assert three.macro.read_pj == one.macro.read_pj
    assert three.area_um2 - one.area_um2 == pytest.approx(12 * 4 / 32 * 71)
    assert (three.reads_per_cycle, three.writes_per_cycle, three.shared_ports) == (2, 1, False)
    assert three.bandwidth_bytes_per_cycle == 4


@pytest.mark.parametrize(
    ("capacity", "width", "start"),
    [
        (62, 16, "31 x 16 flip-flops"),
        (63.9, 16, "32 x 16 flip-flops"),
        (64, 16, "CACTI 7.0, 45 nm, itrs-lstp, 1r1w: 64 B x 16 b tabulated"),
        (64, 8, "CACTI 7.0, 45 nm, itrs-lstp, 1r1w: 64 B x 8 b tabulated"),
        (64, 32, "16 x 32 flip-flops"),
        (127, 32, "32 x 32 flip-flops"),
        (128, 32, "CACTI 7.0, 45 nm, itrs-lstp, 1r1w: 128 B x 32 b tabulated"),
        (255, 16, "CACTI 7.0, 45 nm, itrs-lstp, 1r1w: 255 B x 16 b interpolated"),
        (256, 16, "CACTI 7.0, 45 nm, itrs-lstp, 1rw: 256 B x 16 b tabulated"),
        (448, 16, "CACTI 7.0, 45 nm, itrs-lstp, 1rw: 448 B x 16 b interpolated"),
        (512, 256, "16 x 256 flip-flops"),
    ],
)
def test_regimes(capacity, width, start):
    """reference/memory.md 4: flip-flops, from 64 B CACTI with two ports, from 256 B with one."""
    found = file(capacity, width)
    assert found.macro.source.startswith(start)
    assert ("above 64 B linear: guess" in found.macro.source) == ("flip-flops" in start and capacity > 64)


def test_small_macros_of_the_reference_page():
    """64 B of 8 and 16 bits: 0.19 and 0.36 pJ; 128, 256 and 512 B of 32 bits and two ports: 0.70/0.97 ..."""
    assert [round(file(64, width).macro.read_pj, 3) for width in (8, 16)] == [0.195, 0.36]
    pairs = {128: (0.70, 0.97), 256: (0.76, 1.33), 512: (0.98, 2.15)}
    for capacity, pair in pairs.items():
        found = file(capacity, 32, ports="1r1w").macro
        assert (found.read_pj, found.write_pj) == pytest.approx(pair, rel=1e-2)


def test_a_port_of_ones_own_choice():
    assert file(512, ports="1r1w").shared_ports is False
    assert file(512).shared_ports is True
    assert file(128).shared_ports is False
    assert ", 1rw: 128 B x 16 b" in file(128, ports="1rw").macro.source
    assert (file(24, ports="1rw").reads_per_cycle, file(24, ports="1rw").shared_ports) == (1, True)


def test_what_is_known_at_45_nm_only_is_scaled_and_called_a_guess():
    nearest = {node: sram_macro.find(256, 16, node_nm=node) for node in (22, 45)}
    for capacity in (24, 64, 128):
        new, old = file(capacity, node_nm=22).macro, file(capacity).macro
        for name in FIGURES:
            ratio = getattr(nearest[22], name) / getattr(nearest[45], name)
            assert getattr(new, name) == pytest.approx(getattr(old, name) * ratio, rel=1e-9)
        assert new.source == f"{old.source}; x 22/45 nm of CACTI's 256 B x 16 b 1rw: guess"
    assert file(256, node_nm=22).macro == sram_macro.find(256, 16, node_nm=22)
    own = file(512, ports="1r1w", node_nm=32).macro.source
    assert own.endswith("x 32/45 nm of CACTI's 512 B x 16 b 1rw: guess")


def test_it_is_an_on_chip_memory_like_sram():
    spad = file(64, 32)
    assert spad.capacity_kib == 1 / 16
    assert spad.price("read", 33, None)[0] == 2 * spad.macro.read_pj
    assert [spad.latency(mhz) for mhz in (1000, 1000.1, 2000, 2001)] == [1, 2, 2, 3]
    assert file(64, 32, latency_cycles=1).latency(4000) == 1
    assert (spad.leakage_mw, spad.area_um2) == (spad.macro.leakage_mw, spad.macro.area_um2)
    cycles, words = file(24, ports="2r1w").access_cycles(np.array([[0, 15, 16], [0, 16, 32], [-1, -1, -1]]))
    assert (cycles.tolist(), words) == ([1, 2, 0], 5)
    cycles, _ = file(24, ports="2r1w").access_cycles(np.array([[0, 16, -1]]), is_write=True)
    assert cycles.tolist() == [2]


REFUSALS = {
    "capacity_bytes=0 must be positive": {"capacity_bytes": 0},
    "capacity_bytes=1 must be at least 2: a word has 16 bits": {"capacity_bytes": 1},
    "word_bits=0 must be at least 1": {"word_bits": 0},
    "slots=0 must be at least 1": {"slots": 0},
    "node_nm=28 must be one of 22, 32, 45": {"node_nm": 28},
    "holds: unknown operand 'sums' (known: inputs, weights, pointers, outputs)": {"holds": ("sums",)},
    "ports='2r' must read and write, as 1rw, 1r1w or 2r1w": {"ports": "2r"},
    "ports='many' must read and write, as 1rw, 1r1w or 2r1w": {"ports": "many"},
    "unknown ports '2r1w'; did you mean '1r1w'? (known: 1r1w, 1rw)": {"ports": "2r1w"},
    "capacity_bytes=128: no SRAM macro of 128 B x 4 b in the table (CACTI 7.0, 45 nm, itrs-lstp, 1r1w); nearest "
    "possible size: 128 B x 8 b": {"word_bits": 4},
    "capacity_bytes=8192: no SRAM macro of 8192 B x 16 b in the table (CACTI 7.0, 45 nm, itrs-lstp, 1r1w); nearest "
    "possible size: 4096 B x 16 b": {"capacity_bytes": 8192, "ports": "1r1w"},
}


@pytest.mark.parametrize("text", REFUSALS)
def test_what_nobody_can_build_is_refused(text):
    fields = {"level": "spad", "capacity_bytes": 128, "holds": ("weights",), "word_bits": 16} | REFUSALS[text]
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        RegisterFile(**fields)


def test_a_machine_may_have_one_and_is_its_yaml():
    tree = to_tree(load_hardware("eie"))
    tree["memories"][3] = {
        "name": "register_file",
        "level": "act",
        "capacity_bytes": 48,
        "holds": ["inputs", "outputs"],
    }
    machine = from_tree(tree, "mine")
    assert machine.buffers["inputs"].bytes == 48 * machine.array.lanes // 2
    assert from_tree(to_tree(machine), "again") == machine
