"""``accel-sim dram``: what it prints, and one line for every wrong input."""

import json
import re

import pandas as pd
import pytest

from accel_sim.host import yaml_io
from accel_sim.shell.cli import main

GOOD = "address,op,arrival\n0,R,0\n0x40,R,0\n128,W,5\n0x2000,R,100\n"


@pytest.fixture
def run(tmp_path, capsys):
    """(exit code, stdout, stderr) of the command on a trace with this text."""

    def play(text: str | bytes = GOOD, *arguments: str, part: str = "ddr4_2400"):
        path = tmp_path / "trace.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        code = main(["dram", str(path), "--part", part, *arguments])
        out = capsys.readouterr()
        return code, out.out, out.err.replace(str(path), "trace.csv")

    return play


def test_json_holds_time_commands_latency_bandwidth_and_energy(run):
    code, out, _ = run(GOOD, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["commands"] == {"ACT": 2, "PRE": 0, "PREA": 0, "RD": 3, "WR": 1, "REF": 0}
    assert (report["requests"], report["reads"], report["writes"]) == (4, 3, 1)
    assert report["cycles"] == 101 + 17 + 17 + 4  # the last read finds its bank closed
    assert report["hit_rate"] == 0.5
    assert report["read_latency_cycles"] == pytest.approx((39 + 45 - 1 + 39) / 3)  # the second is taken in at clock 1
    assert report["bandwidth_gb_s"] == pytest.approx(4 * 64 / (report["cycles"] * 0.83))
    assert report["energy_pj"]["total"] == pytest.approx(sum(list(report["energy_pj"].values())[:-1]))
    assert report["pj_per_bit"] == pytest.approx(report["energy_pj"]["total"] / (4 * 512))


def test_text_names_the_same(run):
    code, out, _ = run()
    assert code == 0
    for what in (
        "cycles to the last data beat: 139",
        "ACT 2",
        "hit rate: 0.5000",
        "read latency",
        "GB/s",
        "pJ per bit",
    ):
        assert what in out


def test_arrival_is_optional_and_columns_may_stand_in_any_order(run):
    first = json.loads(run("op,address\nR,0\nR,64\n", "--json")[1])
    second = json.loads(run("# a comment\naddress, op\n\n0, R\n0x40, R\n", "--json")[1])
    assert first == second
    assert first["cycles"] == 45


def test_fields_of_the_memory_can_be_set(run):
    closed = json.loads(run(GOOD, "--json", "--set", "page=closed", "--set", "refresh=false")[1])
    assert closed["commands"]["ACT"] == 4


def test_a_part_of_ones_own(run, tmp_path):
    (tmp_path / "own.yaml").write_text("base: ddr4_2400\ntRCD: 20\n", encoding="utf-8")
    report = json.loads(run("address,op\n0,R\n", "--json", part=str(tmp_path / "own.yaml"))[1])
    assert report["cycles"] == 1 + 20 + 21


@pytest.mark.slow
def test_a_whole_run_with_the_first_level_from_yaml(tmp_path, capsys):
    """As `accel-sim run lenet5 eie`, with DDR4 commands instead of a bandwidth and a latency."""
    main(["show", "hardware", "eie"])
    tree = yaml_io.parse(capsys.readouterr().out, "eie")
    tree["memories"][0] = {"name": "dram_banked", "level": "dram", "part": "ddr4_2400"}
    (tmp_path / "machine.yaml").write_text(yaml_io.dump(tree), encoding="utf-8")
    out = tmp_path / "out"
    assert main(["run", "lenet5", str(tmp_path / "machine.yaml"), "--out", str(out), "--check", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    causes, actions = pd.read_csv(out / "cycles.csv"), pd.read_csv(out / "actions.csv")
    assert causes.lane_slots.sum() == 64 * summary["cycles"]
    assert {"act_pre", "rd", "wr", "ref", "background_open", "background_precharged", "read", "write"} == set(
        actions[actions.component == "dram"].action
    )
    assert actions.energy_pj.sum() == pytest.approx(summary["energy_pj"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "trace.csv: is empty, expected the columns address, op and, if wanted, arrival"),
        ("# only a comment\n", "trace.csv: is empty, expected the columns address, op and, if wanted, arrival"),
        (
            "addr,op\n0,R\n",
            "trace.csv line 1: header 'addr,op', expected the columns address, op and, if wanted, arrival",
        ),
        ("0,R\n", "trace.csv line 1: header '0,R', expected the columns address, op and, if wanted, arrival"),
        ("address,op\n", "trace.csv: holds no request below its header"),
        ("address,op\n0,X\n", "trace.csv line 2: op 'X' is neither R nor W"),
        ("address,op\n0,R\n0\n", "trace.csv line 3: 1 cells, expected 2 (address, op)"),
        ("address,op\n-64,R\n", "trace.csv line 2: address '-64' is no number from 0 on, decimal or 0x..."),
        ("address,op\n1_0,R\n", "trace.csv line 2: address '1_0' is no number from 0 on, decimal or 0x..."),
        ("address,op\nff,R\n", "trace.csv line 2: address 'ff' is no number from 0 on, decimal or 0x..."),
        ("address,op\n,R\n", "trace.csv line 2: address '' is no number from 0 on, decimal or 0x..."),
        (
            "address,op\n0x200000000,R\n",
            "trace.csv line 2: address 0x200000000 is beyond the part's 8589934592 bytes",
        ),
        (
            "address,op,arrival\n0,R,5\n0,R,4\n",
            "trace.csv line 3: arrival 4 must be at least the one before it, 5, and below 2^40",
        ),
        ("address,op,arrival\n0,R,x\n", "trace.csv line 2: arrival 'x' is no number from 0 on, decimal or 0x..."),
        (b"\xff\xfe\x00", "trace.csv: cannot read trace: is no UTF-8 text"),
    ],
)
def test_bad_traces_are_refused_in_one_line(run, text, message):
    assert run(text) == (2, "", f"accel-sim dram: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "pag=open"], "--set pag: unknown field 'pag'; did you mean 'page'?"),
        (["--set", "page=opn"], "--set unknown page 'opn'; did you mean 'open'? (known: open, closed)"),
        (["--set", "channels=x"], "--set channels: Input should be a valid integer"),
        (["--set", "channels"], "--set channels: expected KEY=VALUE"),
    ],
)
def test_bad_settings_are_refused(run, arguments, message):
    code, out, err = run(GOOD, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert re.match(re.escape(f"accel-sim dram: {message}"), err)


def test_a_wrong_part_is_refused_with_the_nearest_one(run):
    code, _, err = run(part="ddr4_240")
    assert code == 2
    assert err == (
        "accel-sim dram: unknown DRAM part 'ddr4_240'; did you mean 'ddr4_2400'? "
        "(known: ddr3_1600, ddr4_2400, gddr6_14000, hbm2_2000, lpddr3_1600, lpddr4_2400)\n"
    )


def test_a_missing_file_and_a_directory_are_refused(capsys, tmp_path):
    assert main(["dram", str(tmp_path / "none.csv"), "--part", "ddr4_2400"]) == 2
    assert capsys.readouterr().err.endswith("none.csv: cannot read trace: No such file or directory\n")
    assert main(["dram", str(tmp_path), "--part", "ddr4_2400"]) == 2
    assert capsys.readouterr().err.endswith(": cannot read trace: Is a directory\n")
