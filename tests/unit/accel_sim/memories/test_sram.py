"""SRAM as a memory level: what an access costs, packing, latency at the clock's edge, banks, refusals."""

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim import load_hardware
from accel_sim.machine.levels import buffers
from accel_sim.mapping.buffer import Buffer
from accel_sim.memories import sram_macro
from accel_sim.memories.sram import Sram
from tests.oracle import banks as twin


def sram(**fields) -> Sram:
    return Sram(**({"level": "buffer", "capacity_kib": 8, "holds": ("weights",), "word_bits": 32} | fields))


def buffer(**fields) -> Buffer:
    """What a dataflow sees of such a level."""
    return buffers([sram(**fields)], "dram", 1, 1000)["weights"]


def test_an_access_is_the_macros_whatever_the_energy_table_says():
    """reference/memory.md 4: 8 KiB of 32-bit words at 45 nm read 5.25 and write 4.79 pJ."""
    source = "CACTI 7.0, 45 nm, itrs-lstp, 1rw: 8192 B x 32 b tabulated"
    assert sram().price("read", 32, None) == (5.247, source)
    assert sram().price("write", 32, None) == (4.791, source)
    assert sram().macro == sram_macro.find(8192, 32)


@pytest.mark.parametrize(("bits", "words"), [(1, 1), (4, 1), (31, 1), (32, 1), (33, 2), (64, 2), (65, 3)])
def test_words_are_accessed_whole(bits, words):
    pj, source = sram().price("read", bits, None)
    assert pj == words * 5.247
    assert source.endswith("tabulated" if words == 1 else f"tabulated; {words} words")


def test_nobody_prices_what_an_sram_does_not_do():
    with pytest.raises(KeyError):
        sram().price("refresh", 32, None)


@pytest.mark.parametrize(
    ("word_bits", "bits", "a_word"),
    [(32, 4, 8), (32, 10, 3), (32, 16, 2), (32, 17, 1), (32, 32, 1), (32, 33, 1), (256, 8, 32), (64, 1, 64)],
)
def test_narrow_values_share_a_word_if_packed(word_bits, bits, a_word):
    assert buffer(word_bits=word_bits).per_word(bits) == a_word
    assert buffer(word_bits=word_bits, packed=False).per_word(bits) == 1


@pytest.mark.parametrize(
    ("values", "bits", "packed", "loose"),
    [(0, 4, 0, 0), (1, 4, 1, 1), (8, 4, 1, 8), (9, 4, 2, 9), (3, 10, 1, 3), (4, 10, 2, 4), (5, 33, 10, 10)],
)
def test_words_of_neighbouring_values(values, bits, packed, loose):
    assert buffer().words(values, bits) == packed
    assert buffer(packed=False).words(values, bits) == loose


@given(st.integers(8, 256), st.integers(1, 300), st.integers(0, 1000))
def test_packing_wastes_less_than_a_value_a_word(word_bits, bits, values):
    words = buffer(word_bits=word_bits).words(values, bits)
    assert words * word_bits >= values * bits
    if bits <= word_bits:
        assert (words - 1) * (word_bits - bits + 1) < values * bits or words <= 1


@pytest.mark.parametrize(
    ("clock_mhz", "cycles"),
    [(100, 1), (1000, 2), (Fraction(10**6, 1064), 1), (939.849, 1), (939.85, 2), (Fraction(2 * 10**6, 1064), 2),
     (1879.699, 2), (1879.7, 3)],
)  # fmt: skip
def test_latency_one_step_either_side_of_the_edge(clock_mhz, cycles):
    """8 KiB x 32 b answers in 1.064 ns: one cycle up to 939.8496 MHz, two up to 1879.699."""
    assert sram().macro.access_ns == 1.064
    assert sram().latency(clock_mhz) == cycles


def test_a_buffer_of_a_mebibyte_is_no_cycle_at_a_gigahertz():
    """reference/memory.md 4: 1 MiB of 64 bits needs 4.0 ns."""
    assert sram(capacity_kib=1024, word_bits=64).latency(1000) == 5  # 4.019 ns
    assert sram(capacity_kib=1024, word_bits=64).latency(995) == 4
    assert sram(capacity_kib=1024, word_bits=64, cell="itrs-hp").latency(1000) == 2


def test_given_latency_overrides_the_access_time():
    assert sram(latency_cycles=7).latency(100) == sram(latency_cycles=7).latency(5000) == 7


def test_banks_are_small_macros():
    """reference/memory.md 4: independently addressed banks of 1 MiB are 64 x 16 KiB, 11.6 pJ each."""
    whole, split = sram(capacity_kib=1024, word_bits=64), sram(capacity_kib=1024, word_bits=64, banks=64)
    bank = sram_macro.find(16 * 1024, 64)
    assert split.macro == bank
    assert split.price("read", 64, None)[0] == bank.read_pj == 11.61
    assert (split.leakage_mw, split.area_um2) == (64 * bank.leakage_mw, 64 * bank.area_um2)
    assert (whole.leakage_mw, whole.area_um2) == (whole.macro.leakage_mw, whole.macro.area_um2)
    assert split.latency(1000) == 2 < whole.latency(1000)


@pytest.mark.parametrize(
    ("ports", "banks", "reads", "writes", "shared"), [("1rw", 1, 1, 1, True), ("1rw", 4, 4, 4, True),
    ("1r1w", 1, 1, 1, False), ("1r1w", 2, 2, 2, False)],
)  # fmt: skip
def test_ports_and_banks_make_the_bandwidth(ports, banks, reads, writes, shared):
    memory = sram(capacity_kib=4, ports=ports, banks=banks)
    assert (memory.reads_per_cycle, memory.writes_per_cycle, memory.shared_ports) == (reads, writes, shared)
    assert memory.bandwidth_bytes_per_cycle == 4 * reads


def test_eies_pointers_by_hand():
    """Pointers j and j + 1 of 16 bits, one a word: two banks always answer in one cycle, one bank in two."""
    j = np.arange(30)
    steps = np.stack([16 * j, 16 * (j + 1)], axis=1)
    cycles, words = sram(capacity_kib=32, word_bits=16, banks=2).access_cycles(steps)
    assert (cycles.tolist(), words) == ([1] * 30, 60)
    cycles, words = sram(capacity_kib=32, word_bits=16).access_cycles(steps)
    assert (cycles.tolist(), words) == ([2] * 30, 60)


@given(
    st.lists(st.lists(st.integers(-1, 2000), min_size=3, max_size=3), min_size=1, max_size=5),
    st.sampled_from([1, 2, 4]),
    st.booleans(),
)
def test_conflicts_on_bit_addresses(steps, banks, is_write):
    memory = sram(banks=banks)
    cycles, words = memory.access_cycles(np.array(steps), is_write=is_write)
    assert (cycles.tolist(), words) == twin.conflicts(steps, 32, banks, 1)


REFUSALS = {
    "capacity_kib=0 must be positive": {"capacity_kib": 0},
    "capacity_kib=-1 must be positive": {"capacity_kib": -1},
    "word_bits=0 must be at least 1": {"word_bits": 0},
    "slots=0 must be at least 1": {"slots": 0},
    "latency_cycles=-1 must be at least 0": {"latency_cycles": -1},
    "banks=0 must be a power of two": {"banks": 0},
    "banks=3 must be a power of two": {"banks": 3},
    "holds must name at least one operand": {"holds": ()},
    "holds: unknown operand 'weight' (known: inputs, weights, pointers, outputs)": {"holds": ("weight",)},
    "node_nm=28 must be one of 22, 32, 45": {"node_nm": 28},
    "unknown cell 'itrs-hq'; did you mean 'itrs-hp'? (known: itrs-hp, itrs-lop, itrs-lstp)": {"cell": "itrs-hq"},
    "unknown ports '2r1w'; did you mean '1r1w'? (known: 1r1w, 1rw)": {"ports": "2r1w"},
    "capacity_kib=0.001: no SRAM macro of 1.024 B x 32 b in the table (CACTI 7.0, 45 nm, itrs-lstp, 1rw); nearest "
    "possible size: 128 B x 32 b": {"capacity_kib": 0.001},
    "capacity_kib=8: no SRAM macro of 8192 B x 512 b in the table (CACTI 7.0, 45 nm, itrs-lstp, 1rw); nearest "
    "possible size: 8192 B x 256 b": {"word_bits": 512},
    "capacity_kib=8 in 128 banks: no SRAM macro of 64 B x 32 b in the table (CACTI 7.0, 45 nm, itrs-lstp, 1rw); "
    "nearest possible size: 128 B x 32 b a bank": {"banks": 128},
    "capacity_kib=16384 in 2 banks: no SRAM macro of 8388608 B x 32 b in the table (CACTI 7.0, 45 nm, itrs-lstp, "
    "1rw); nearest possible size: 4194304 B x 32 b a bank": {"capacity_kib": 16384, "banks": 2},
}


@pytest.mark.parametrize("text", REFUSALS)
def test_what_nobody_can_build_is_refused(text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        sram(**REFUSALS[text])


def test_the_limit_is_where_the_refusal_says():
    sram(banks=64)
    sram(capacity_kib=16384, banks=4)
    sram(capacity_kib=0.125)


def test_its_fields_come_from_a_file():
    settings = {"memories.act.banks": 2, "memories.act.node_nm": 22, "memories.act.packed": False}
    machine = load_hardware("eie", settings | {"memories.act.latency_cycles": 3})
    act = machine.levels["act"]
    assert (act.banks, act.node_nm, act.packed, act.latency_cycles, act.cell) == (2, 22, False, 3, "itrs-lstp")
    assert act.macro.source == "CACTI 7.0, 22 nm, itrs-lstp, 1rw: 1024 B x 16 b tabulated"
