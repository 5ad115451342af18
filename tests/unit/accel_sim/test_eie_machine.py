"""Layers on the `eie` preset against a machine clocked PE by PE that encodes, broadcasts and adds on its own."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accel_sim.machine.config import load_hardware
from accel_sim.run.session import Session
from accel_sim.run.simulate import run_layer, tile_layer
from accel_sim.works.timed import timed as took
from tests import small_buffers
from tests.oracle.eie_machine import STATES, EieTile, Machine, Product, encode_slice
from tests.oracle.patches import patches
from tests.unit.accel_sim.layers import Case, cases
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import MacOperands
from workloads.registry import InputError

machines = st.builds(
    Machine,
    pes=st.integers(1, 9),
    index_bits=st.integers(1, 3),
    queue_depth=st.integers(1, 4),
    registered_queue=st.booleans(),
    scan_width=st.sampled_from([None, 1, 2, 5]),
    double_buffer=st.booleans(),
)


def session(layer: Layer, machine: Machine, more: dict) -> Session:
    settings = {
        "array.rows": machine.pes,
        "encodings.weights.index_bits": machine.index_bits,
        "dataflow.queue_depth": machine.queue_depth,
        "dataflow.registered_queue": machine.registered_queue,
        "dataflow.scan_width": machine.scan_width,
        "dataflow.double_buffer_accumulators": machine.double_buffer,
    }
    network = Network("one", (layer,), layer.input_shape[1:]).with_batch(layer.N)
    return Session.start(network, load_hardware("eie", settings | more))


def products(case: Case) -> list[list[Product]]:
    """[pixels][groups], pixels in N, E, F order."""
    layer, per_group = case.layer, case.layer.M // case.layer.G
    vectors = patches(case.operands.inputs.integers().astype(np.int64), layer)
    weights, kept = (
        getattr(case.operands.weights, what)().reshape(layer.G, per_group, layer.K) for what in ("integers", "kept")
    )
    rows = np.arange(layer.M).reshape(layer.G, per_group)
    return [[Product(weights[g], kept[g], vector[g], rows[g]) for g in range(layer.G)] for vector in vectors]


def agree(case: Case, machine: Machine, more: dict | None = None) -> Counter:
    """Every tile's cycles and slots, the layer's sums, entries and outputs; returns the layer's slots."""
    layer, slots, cycles, entries, fillers = case.layer, Counter(), 0, 0, 0
    tiled = tile_layer(layer, case.operands, session(layer, machine, more or {}))
    todo, sums = products(case), np.zeros((layer.N * layer.E * layer.F, layer.M), dtype=np.int64)
    pieces = [(pixels, part.groups, part.k) for _, pixels, part in tiled.cuts]
    for tile, (pixels, groups, k) in zip(tiled, pieces, strict=True):
        parts = [(p, cut(todo[p][g], k)) for p in range(*pixels) for g in range(*groups)]
        clocked = EieTile([product for _, product in parts], machine).run()
        timed = took(tile.work, machine.pes)
        assert (timed.cycles, {state: timed.slots[state] for state in STATES}) == (clocked.clock, clocked.slots)
        for (pixel, product), out in zip(parts, clocked.outputs, strict=True):
            sums[pixel, product.rows] += out
        slots, cycles = slots + Counter(clocked.slots), cycles + clocked.clock
        entries, fillers = entries + clocked.entries, fillers + clocked.fillers
    run = run_layer(layer, case.operands, session(layer, machine, more or {}), check=True)
    assert run.array_cycles == cycles
    assert {state: run.slots[state] for state in STATES} == {state: slots[state] for state in STATES}
    assert run.actions["accumulator", "write", 32] == entries
    assert run.facts.macs_issued == entries - fillers
    assert np.array_equal(run.sums.transpose(0, 2, 3, 1).reshape(sums.shape), sums)
    return slots + Counter(fillers=fillers, tiles=len(pieces), blocks=len(tiled.cuts.blocks))


def cut(product: Product, k: tuple[int, int]) -> Product:
    """What a tile that holds only these columns of the weights broadcasts of a product."""
    inside = (np.arange(len(product.activations)) >= k[0]) & (np.arange(len(product.activations)) < k[1])
    return replace(product, activations=np.where(inside, product.activations, 0))


@given(cases(), machines)
def test_random_layers(case, machine):
    agree(case, machine)


@settings(max_examples=30)
@given(cases(rows=30), machines.filter(lambda machine: machine.pes <= 3 and machine.index_bits <= 2))
def test_many_rows_a_pe_need_fillers(case, machine):
    agree(case, machine)


@given(cases(), machines, st.sampled_from([0.04, 0.1, 0.3]), st.sampled_from([0.008, 0.02, 1]))
def test_small_buffers_cut_the_layer_into_more_tiles(case, machine, act_kib, spmat_kib):
    try:
        agree(case, machine, small_buffers.settings("eie", act=1024 * act_kib, spmat=1024 * spmat_kib))
    except InputError:
        assume(False)


def fully_connected(weights: list, inputs: list, codebook: tuple | None = None) -> Case:
    """weights: [M][C] codes; inputs: [N][C] codes."""
    w, x = np.array(weights, np.uint8), np.array(inputs, np.uint8)
    layer = Layer(name="fc", kind="fc", C=x.shape[1], M=len(w), N=len(x))
    form = NumberFormat(4, codebook is None, codebook=codebook)
    codes = Codes((w.astype(np.int8) if codebook is None else w).reshape(layer.weight_shape), form)
    return Case(layer, MacOperands(Codes(x.reshape(layer.input_shape), NumberFormat(8, False)), codes))


def test_a_run_that_just_fits_and_one_that_does_not():
    """b = 1 counts 0 or 1 zeros: two zeros before an entry need a filler, which is itself one of them."""
    for zeros, indices in ((0, [0]), (1, [1]), (2, [1, 0]), (3, [1, 1]), (4, [1, 1, 0])):
        kept = np.array([False] * zeros + [True])
        assert [entry.index for entry in encode_slice(kept, np.ones(zeros + 1), 1)] == indices
        assert encode_slice(np.append(kept, [False] * 5), np.ones(zeros + 6), 1)[-1].row == zeros


@pytest.mark.parametrize(("last_row", "fillers"), [(15, 0), (16, 1), (31, 1), (32, 2)])
def test_four_index_bits_bridge_fifteen_zeros_by_hand(last_row, fillers):
    column = [[int(row == last_row)] for row in range(40)]
    slots = agree(fully_connected(column, [[3]]), Machine(pes=1, index_bits=4))
    assert (slots["fillers"], slots["effectual"], slots["ineffectual"], slots["dispatch"]) == (fillers, 1, fillers, 1)


def test_fewer_rows_than_pes_leave_pes_unmapped_for_the_whole_tile():
    slots = agree(fully_connected([[1, 1], [0, 1], [1, 1]], [[1, 1]]), Machine(pes=5))
    assert slots["unmapped"] == 2 * (1 + 2)  # two broadcasts and a cycle on the way
    assert (slots["effectual"], slots["ineffectual"], slots["dispatch"]) == (5, 1, 3)


def test_a_kept_weight_whose_integer_is_zero_costs_its_cycle():
    slots = agree(fully_connected([[2], [1]], [[1]], codebook=(0, 0, 5)), Machine(pes=1))
    assert (slots["effectual"], slots["ineffectual"], slots["fillers"]) == (1, 1, 0)


def test_products_without_a_step_take_no_time_and_no_barrier():
    weights = [[1, 2], [3, 0]]
    alone = agree(fully_connected(weights, [[5, 5]]), Machine(pes=2))
    among = agree(fully_connected(weights, [[0, 0], [5, 5], [0, 0]]), Machine(pes=2))
    assert {state: alone[state] for state in STATES} == {state: among[state] for state in STATES}
    assert not any(agree(fully_connected(weights, [[0, 0]]), Machine(pes=2))[state] for state in STATES)


def test_the_barrier_between_products_is_imbalance_by_hand():
    """PE 0 has two entries a product, PE 1 one: it waits a cycle for PE 0, then both wait for the next broadcast."""
    case = fully_connected([[1], [1], [1]], [[1], [1]])
    slots = agree(case, Machine(pes=2))
    assert slots["effectual"] == 6
    assert slots["dispatch"] == 2
    assert slots["imbalance"] == 2 * 1 + 2  # PE 1 after each product; a cycle on the way for both PEs
    overlapped = agree(case, Machine(pes=2, double_buffer=True))
    assert overlapped["imbalance"] == 2  # PE 1 goes on at once and is done two cycles before PE 0


@pytest.mark.parametrize(("position", "decode"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)])
def test_a_scan_of_two_positions_a_cycle_by_hand(position, decode):
    case = fully_connected([[1] * 5], [[int(k == position) for k in range(5)]])
    slots = agree(case, Machine(pes=1, scan_width=2))
    assert (slots["decode"], slots["dispatch"], slots["effectual"]) == (decode, 1, 1)
