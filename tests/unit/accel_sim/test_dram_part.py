"""DRAM parts: every figure has a source, energies follow from the currents, mistakes are named."""

import re

import energydram
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim.memories import dram_part
from accel_sim.memories.dram_banked import DramBanked
from accel_sim.memories.dram_trace import play
from tests.dram_traces import trace
from workloads.registry import InputError


@pytest.mark.parametrize("name", dram_part.names())
def test_every_figure_of_a_shipped_part_has_a_source(name):
    part = dram_part.find(name)
    assert set(part.values) == set(dram_part.PARAMETERS)
    assert all(source.strip() for source in part.sources.values())
    known = re.compile(r"DRAMsim3|Ramulator|recalled|guess|double data rate|one device")
    assert all(known.search(source) for source in part.sources.values())


def test_the_shipped_parts():
    assert dram_part.names() == [
        "ddr3_1600", "ddr4_2400", "gddr6_14000", "hbm2_2000", "lpddr3_1600", "lpddr4_2400",
    ]  # fmt: skip


def test_energies_of_ddr3_are_those_of_the_package_energydram():
    part = dram_part.find("ddr3_1600")
    v = part.values
    timing = energydram.Timing(RAS=v["tRAS"], REFI=v["tREFI"], RFC=v["tRFC"], RP=v["tRP"], RRD=v["tRRD_S"])
    currents = energydram.IDDs(
        idd0=v["IDD0_ma"], idd2n=v["IDD2N_ma"], idd2p=18, idd3n=v["IDD3N_ma"], idd3p=38, idd4r=v["IDD4R_ma"],
        idd4w=v["IDD4W_ma"], idd5=v["IDD5_ma"],
    )  # fmt: skip
    oracle = energydram.EnergyDDR(v["tCK_ns"], timing, v["VDD_v"], currents, chipcnt=8, ddr=3)
    expected = {
        "act_pre": oracle.activate_energy(1),
        "rd": oracle.readwrite_energy(1, 0),
        "wr": oracle.readwrite_energy(0, 1),
        "ref": oracle.refresh_energy(1),
        "background_open": oracle.background_energy(cycles_bankact_ckehi=1),
        "background_precharged": oracle.background_energy(cycles_bankpre_ckehi=1),
    }
    assert {action: pj for action, (pj, _) in part.energies.items()} == pytest.approx(expected, rel=1e-12)
    assert expected["act_pre"] == pytest.approx(9841.5)


#: reference/memory.md 5: nJ of ACT+PRE, a 64-byte read, a 64-byte write, a refresh; mW of a rank with a row open
NOTES = {
    "ddr3_1600": (9.84, 6.43, 4.70, 553, 410),
    "ddr4_2400": (3.45, 2.93, 2.55, 693, 413),
    "lpddr4_2400": (3.48, 3.12, 2.88, 182, 113),
    "lpddr3_1600": (2.82, 2.75, 2.69, 65, 50),
}


@pytest.mark.parametrize("name", NOTES)
def test_energies_are_those_of_the_notes(name):
    part = dram_part.find(name)
    nj = [part.energies[action][0] / 1e3 for action in ("act_pre", "rd", "wr", "ref")]
    mw = part.energies["background_open"][0] / part["tCK_ns"]
    assert [*nj, mw] == pytest.approx(NOTES[name], rel=0.009)  # as the table is rounded


#: trace -> part -> (pJ per bit, without refresh and background) of the same table: DRAMsim3's cycles
PER_BIT = {
    "seq_read": {
        "ddr3_1600": (17.5, 12.7), "ddr4_2400": (9.8, 5.8), "lpddr4_2400": (8.1, 6.2), "lpddr3_1600": (6.1, 5.4),
    },
    "rand_read": {
        "ddr3_1600": (39.2, 31.8), "ddr4_2400": (18.0, 12.5), "lpddr4_2400": (14.8, 12.9), "lpddr3_1600": (12.6, 10.9),
    },
    "dnn_conv": {
        "ddr3_1600": (17.8, None), "ddr4_2400": (9.8, None), "lpddr4_2400": (8.5, None), "lpddr3_1600": (6.4, None),
    },
    "rand_read_gap128": {
        "ddr3_1600": (181, None), "ddr4_2400": (116, None), "lpddr4_2400": (41, None), "lpddr3_1600": (32, None),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PER_BIT)
def test_energy_per_bit_within_5_percent(name):
    address, write, arrival = trace(name)
    for part, (whole, commands) in PER_BIT[name].items():
        report = play(np.stack([address, write, arrival], 1), DramBanked(part=part))
        assert report["pj_per_bit"] == pytest.approx(whole, rel=0.05), part
        if commands is not None:
            assert report["pj_per_bit_commands"] == pytest.approx(commands, rel=0.05), part


def test_own_parameters_over_a_base_and_on_their_own():
    own = dram_part.find({"base": "ddr4_2400", "tRCD": 20, "VDD_v": 1.1})
    assert (own["tRCDRD"], own["tRCDWR"], own["VDD_v"], own["tRP"]) == (20, 20, 1.1, 17)
    assert own.sources["tRCDRD"] == "given by the user"
    assert "given by the user" in own.energies["rd"][1]
    assert own.name == "ddr4_2400 with own VDD_v, tRCDRD, tRCDWR"
    whole = dram_part.find(dict(dram_part.find("ddr3_1600").values))
    assert (whole.name, whole.gaps) == ("own", dram_part.find("ddr3_1600").gaps)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("ddr4_240", "unknown DRAM part 'ddr4_240'; did you mean 'ddr4_2400'?"),
        ({"base": "ddr9"}, "unknown DRAM part 'ddr9'"),
        ({"base": "ddr4_2400", "tREFI_ns": 3}, "unknown DRAM parameter 'tREFI_ns'; did you mean 'tREFI'?"),
        ({"tRP": 3}, "DRAM part 'own': ranks, bank_groups"),
        ({"base": "ddr4_2400", "tRP": "3"}, "DRAM part: tRP='3' must be a number"),
        ({"base": "ddr4_2400", "tRP": True}, "DRAM part: tRP=True must be a number"),
        ({"base": "ddr4_2400", "tRP": 0}, "tRP=0 must be a whole number, 1 to 16777216"),
        ({"base": "ddr4_2400", "tRP": 2.5}, "tRP=2.5 must be a whole number, 1 to 16777216"),
        ({"base": "ddr4_2400", "rows": 1000}, "rows=1000 must be a power of two"),
        ({"base": "ddr4_2400", "tCK_ns": 0}, "tCK_ns=0 must be positive"),
        ({"base": "ddr4_2400", "tCK_ns": float("nan")}, "DRAM part: tCK_ns=nan must be a number"),
        ({"base": "ddr4_2400", "tRP": float("nan")}, "DRAM part: tRP=nan must be a number"),
        ({"base": "ddr4_2400", "CWL": 18}, "CWL=18 is above CL=17"),
        ({"base": "ddr4_2400", "IDD4R_ma": 40}, "IDD3N_ma=43 is above IDD4R_ma=40"),
        ({"base": "ddr4_2400", "tREFI": 400}, "tREFI=400 must be at least 492: a refresh (tRFC=420)"),
        ({"base": "ddr4_2400", "tREFI": 420}, "tREFI=420 must be at least 492"),
        ({"base": "ddr4_2400", "rows": 1 << 40}, "rows=1099511627776 must be a whole number, 1 to 16777216"),
        ({"base": "ddr4_2400", "tRFC": 10**30}, "must be a whole number, 1 to 16777216"),
        ({"base": {"base": "ddr4_2400"}}, "base={'base': 'ddr4_2400'} must be the name of a part (one of "),
        ({"base": 5}, "base=5 must be the name of a part"),
        ({"base": "ddr4_2400", "ranks": 8}, "128 banks on a channel, at most 64; use channels"),
        ({"base": "ddr4_2400", "columns": 4}, "burst_length=8 is above columns=4"),
    ],
)
def test_mistakes_are_named(part, message):
    with pytest.raises(InputError, match=re.escape(message)):
        dram_part.find(part)


@st.composite
def tiny_parts(draw) -> dict:
    """A part of few banks whose timings are so small, or so near each other, that refreshes may fill the time."""
    clocks = {key: draw(st.integers(1, 6)) for key in dram_part.CLOCKS}
    clocks["CWL"] = draw(st.integers(1, clocks["CL"]))
    clocks["tRFC"] = draw(st.integers(1, 40))
    clocks["tREFI"] = draw(st.integers(1, 120))
    geometry = {"ranks": draw(st.sampled_from([1, 2, 4])), "bank_groups": 2, "banks_per_group": 2, "rows": 4}
    return {"base": "ddr4_2400", "columns": 32, **geometry, **clocks}


@given(part=tiny_parts(), page=st.sampled_from(["open", "closed"]), seed=st.integers(0, 99))
def test_whatever_part_is_taken_ends_a_trace_and_the_rest_is_refused_by_its_refreshes(part, page, seed):
    """The kernel gives up where nothing can progress; a part that is taken never gets so far."""
    try:
        memory = DramBanked(part=part, page=page)
    except InputError as error:
        assert re.search(r"tREFI=\d+ must be at least \d+: a refresh", str(error))
        return
    rng, n = np.random.default_rng(seed), 60
    requests = np.stack([64 * rng.integers(0, 64, n), rng.integers(0, 2, n), np.sort(rng.integers(0, 400, n))], 1)
    report = play(requests, memory)
    assert report["commands"]["RD"] + report["commands"]["WR"] + report["forwarded"] + report["merged"] == n


@pytest.mark.parametrize("name", dram_part.names())
def test_the_least_refresh_interval_of_a_part_still_ends(name):
    least = dram_part.find(name).refresh_and_access
    memory = DramBanked(part={"base": name, "tREFI": least})
    requests = np.stack([64 * np.arange(500), np.arange(500) % 2, 50 * np.arange(500)], 1)
    assert play(requests, memory)["requests"] == 500
    with pytest.raises(InputError, match=f"tREFI={least - 1} must be at least {least}"):
        DramBanked(part={"base": name, "tREFI": least - 1})
