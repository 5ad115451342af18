"""DRAMsim3 (commit 2981759): cycles within 15 %, by which it and Ramulator 2.1 differ on equal traces and timings.

It has another controller: a write buffer that is drained whole, then queues of 8 per bank that are served in turn, with
reads and writes of different banks side by side. OUTSIDE lists the rows where that shows more, and by how much. For
LPDDR parts it is the only reference, and no sound one (reference/memory.md 2.3).
"""

import pytest

from accel_sim.memories.dram_banked import DramBanked
from tests.published.test_ramulator21 import play, rows

#: config -> fields of the memory
CONFIGS = {
    "ddr4": {"part": "ddr4_2400"},
    "ddr4_norefresh": {"part": "ddr4_2400", "refresh": False},
    "ddr4_bglow": {"part": "ddr4_2400", "address_map": "RoBaRaCoBgCh"},
    "ddr4_close": {"part": "ddr4_2400", "page": "closed"},
    "ddr4_shipped2rank": {"part": {"base": "ddr4_2400", "ranks": 2}},
    "ddr3": {"part": "ddr3_1600"},
    "ddr3_norefresh": {"part": "ddr3_1600", "refresh": False},
    "ddr3_typoREFI": {"part": {"base": "ddr3_1600", "tREFI": 7800}},
    "ddr3_8Gb": {
        "part": {
            "base": "ddr3_1600", "columns": 2048, "tRRD_S": 6, "tRRD_L": 6, "tFAW": 32, "tRFC": 280, "IDD0_ma": 67,
            "IDD2N_ma": 36, "IDD3N_ma": 51, "IDD4R_ma": 125, "IDD5_ma": 245,
        }
    },
    "lpddr4_x32": {"part": "lpddr4_2400"},
    "lpddr3_x64": {"part": "lpddr3_1600"},
}  # fmt: skip
#: (config, trace) -> our cycles / its cycles, where reads and writes alternate burst by burst
OUTSIDE = {
    ("ddr4_bglow", "copy_fine_samebank"): 1.195,
    ("ddr4_close", "copy_fine_diffbank"): 1.243,  # with every page closed, it works on a read and a write at a time
    ("ddr4_shipped2rank", "copy_fine_samebank"): 1.152,
    ("lpddr3_x64", "copy_fine_samebank"): 1.178,
    ("lpddr3_x64", "copy_fine_diffbank"): 1.178,
}


@pytest.fixture(scope="module")
def runs(shared):
    """(row, memory, cycles, counts)."""
    found = []
    for row in rows(shared, "dram_reference_dramsim3.csv"):
        memory = DramBanked(**CONFIGS[row["config"]])
        found.append((row, memory, *play(memory, row["trace"])[:2]))
    return found


def test_cycles(runs):
    assert len(runs) >= 88
    for row, _, cycles, _ in runs:
        ratio, where = cycles / int(row["t_end"]), (row["config"], row["trace"])
        if where in OUTSIDE:
            assert ratio == pytest.approx(OUTSIDE[where], abs=0.002), where
        else:
            assert ratio == pytest.approx(1, abs=0.15), where


def test_without_read_write_turns_it_is_nearly_equal(runs):
    """One direction and little reordering: what is left are the timings, and these are equal."""
    for row, memory, cycles, _ in runs:
        if row["trace"] in ("rand_read_gap128", "rand_read_gap16", "seq_read_gap64", "stride256k_read"):
            tolerance = 0.007 if memory.found["ranks"] > 1 else 0.0055  # another rank is refreshed at another time
            assert cycles == pytest.approx(int(row["t_end"]), rel=tolerance), (row["config"], row["trace"])


def test_energies(runs):
    """Each command's energy exactly; background by what is open, where open pages are as long open."""
    for row, memory, cycles, counts in runs:
        where, energies = (row["config"], row["trace"]), memory.found.energies
        for column, action, count in (
            ("E_act_nJ", "act_pre", row["n_act"]),
            ("E_rd_nJ", "rd", row["n_rd"]),
            ("E_wr_nJ", "wr", row["n_wr"]),
            ("E_ref_nJ", "ref", row["n_ref"]),
        ):
            assert float(row[column]) == pytest.approx(int(count) * energies[action][0] / 1e3, rel=2e-4), where
        if memory.page == "open" and memory.found["ranks"] == 1:
            ours = sum(counts[name] * energies[f"background_{name}"][0] for name in ("open", "precharged"))
            slower = cycles / int(row["t_end"])
            assert ours / 1e3 == pytest.approx(float(row["E_bg_nJ"]) * slower, rel=0.02), where


def test_every_shipped_timing_is_the_one_of_the_reference_runs(shared):
    names = {
        "bank_groups": "bankgroups", "device_bits": "device_width", "bus_bits": "bus_width", "burst_length": "BL",
        "tCK_ns": "tCK", "tRCDRD": "tRCD", "tRCDWR": "tRCD", "VDD_v": "VDD", "IDD5_ma": "IDD5AB",
    }  # fmt: skip
    there = {row["parameter"]: row for row in rows(shared, "dram_timing_parameters.csv")}
    checked = 0
    for config, part in (("ddr4", "ddr4_2400"), ("ddr3", "ddr3_1600"), ("lpddr4_x32", "lpddr4_2400")):
        for key, value in DramBanked(part=part).found.values.items():
            name = names.get(key, key.removesuffix("_ma"))
            if name in there:
                assert value == float(there[name][config]), (part, key)
                checked += 1
    assert checked > 90
