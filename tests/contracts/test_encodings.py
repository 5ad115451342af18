"""What every encoding promises: the codes come back, and each bit of the stream is accounted for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim import simulate
from workloads import InputError
from workloads.encoding import BitStream, Slices, encodings
from workloads.stored import StoredTensor

from . import samples

#: every registered encoding as presets have it, and each number among its fields at 1 and 2
PARTS = {name: samples.default(part) for name, part in encodings.items()}
PARTS |= {
    f"{name} {field}={value}": replace(part, **{field: value})
    for name, part in list(PARTS.items())
    for field, held in vars(part).items()
    if type(held) is int
    for value in (1, 2)
}


@st.composite
def slices(draw) -> Slices:
    """Any density, runs longer than an index, nothing at all."""
    count, length, width = draw(st.integers(0, 6)), draw(st.integers(0, 80)), draw(st.integers(1, 16))
    density = draw(st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    values = rng.integers(1, 1 << width, (count, length), dtype=np.uint32)
    return of(np.where(rng.random((count, length)) < density, values, 0).astype(np.uint32), width)


def of(symbols: np.ndarray, width: int, kept: np.ndarray | None = None) -> Slices:
    kept = symbols != 0 if kept is None else kept
    return Slices.of(symbols, kept.astype(np.uint8), width)


def dense(decoded, shape: tuple[int, int]) -> np.ndarray:
    """The codes that stored entries stand for; what is no weight counts for nothing."""
    out = np.zeros(shape, dtype=np.uint32)
    places = np.repeat(np.arange(shape[0]), decoded.entries)[decoded.kept], decoded.positions[decoded.kept]
    out[places] = decoded.symbols[decoded.kept]
    return out


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@given(data=slices())
def test_codes_come_back_and_every_bit_is_counted(part, data):
    before = data.symbols.copy(), data.kept.copy()
    entries = part.entries(data)
    bits, encoded = part.bits(data, entries), part.encode(data)
    assert (entries.dtype, entries.shape) == (np.int32, (len(data),))
    assert np.array_equal(entries, encoded.entries)
    assert (entries >= data.kept.sum(axis=1)).all()
    assert (encoded.length, encoded.symbol_bits) == (data.length, data.symbol_bits)
    assert set(bits) == {each.name for each in part.parts}
    assert all((each.dtype, each.shape) == (np.int64, entries.shape) for each in bits.values())
    assert encoded.stream.bits == sum(int(each.sum()) for each in bits.values())
    decoded = part.decode(encoded)
    assert len(decoded.symbols) == len(decoded.positions) == len(decoded.kept) == entries.sum()
    if part.entries(of(np.zeros((1, 2), np.uint32), 8))[0] == 0:  # stores no zero but for fillers
        assert decoded.kept.sum() == data.kept.sum()
    assert np.array_equal(decoded.entries, entries)
    for positions in np.split(decoded.positions, np.cumsum(entries)[:-1]):
        assert (np.diff(positions) > 0).all()
        assert ((positions >= 0) & (positions < data.length)).all()
    assert np.array_equal(dense(decoded, data.kept.shape), data.symbols)
    assert np.array_equal(data.symbols, before[0])
    assert np.array_equal(data.kept, before[1])


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@given(data=slices())
def test_a_slice_is_the_same_alone_and_among_others(part, data):
    together = part.entries(data)
    bits = part.bits(data, together)
    for number in range(len(data)):
        one = of(data.symbols[number : number + 1], data.symbol_bits)
        alone = part.encode(one)
        assert alone.entries.tolist() == [together[number]]
        assert alone.stream.bits == sum(each[number] for each in bits.values())


def test_a_weight_that_looks_like_a_filler_is_not_encoded():
    """Symbol 0 behind the largest run is a filler; a table whose entry 0 is a weight has no zeros to leave out."""
    from workloads.encodings.relative_index import RelativeIndex

    part, symbols = RelativeIndex(index_bits=1), np.array([[0, 0, 5]], np.uint32)
    with pytest.raises(ValueError, match=r"^a kept symbol is 0 behind a run of the largest index"):
        part.encode(of(symbols, 4, np.array([[0, 1, 1]])))
    assert part.decode(part.encode(of(symbols, 4, np.ones((1, 3))))).kept.all()
    found = part.decode(part.encode(of(symbols, 4)))
    assert (found.symbols.tolist(), found.kept.tolist()) == ([0, 5], [False, True])


FULL = of(np.arange(1, 13, dtype=np.uint32).reshape(3, 4), 7)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_stream_of_another_length_than_its_parts_is_none(part, monkeypatch):
    """By a single bit, even where no byte is added."""
    tensor = StoredTensor(lambda: (FULL,), part, FULL.symbol_bits)
    assert np.array_equal(next(tensor.encoded()).stream.data, part.encode(FULL).stream.data)
    encode = type(part).encode

    def longer(self, slices):
        encoded = encode(self, slices)
        return replace(encoded, stream=BitStream.of(np.append(encoded.stream.array, 0)))

    monkeypatch.setattr(type(part), "encode", longer)
    with pytest.raises(ValueError, match=r"^encoding '\w+': a stream of \d+ bits, its parts take \d+ \(payload \d+"):
        next(tensor.encoded())


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_stream_that_is_too_short_is_refused(part):
    encoded = part.encode(FULL)
    with pytest.raises(ValueError, match="is too short for"):
        part.decode(replace(encoded, stream=BitStream.of(encoded.stream.array[:-1])))


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_it_is_frozen(part):
    assert part.__dataclass_params__.frozen
    assert part == replace(part)


MACHINES = {
    f"{name} in {preset}": machine
    for name in encodings.names()
    for preset, machine in samples.machines("weights", name).items()
}


def test_every_encoding_has_a_machine():
    running = {title.split()[0] for title, m in MACHINES.items() if samples.takes(m, samples.LAYERS["conv"])}
    assert running == set(encodings.names())


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("name", ["pointwise", "grouped", "fc_batch"])
def test_a_machine_computes_with_it_or_refuses_it(machine, name):
    """A machine whose lanes share rows unevenly reads the same weights, whatever their encoding."""
    network, x, w = samples.given(samples.LAYERS[name], "codebook")
    try:
        result = simulate(network, machine, check=True)
    except InputError as refusal:
        assert str(refusal).startswith("dataflow '")
        return
    assert np.array_equal(result.sums[name], samples.convolution(samples.LAYERS[name], x, w).sums)


@pytest.mark.parametrize("name", encodings.names())
@pytest.mark.parametrize("preset", samples.presets())
def test_each_preset_takes_each_encoding_or_says_why_not(preset, name):
    from accel_sim.machine.config import load_hardware

    machine = load_hardware(preset, {"encodings.weights": {"name": name}})
    network, x, w = samples.given(samples.LAYERS["pointwise"])
    try:
        result = simulate(network, machine, check=True)
    except InputError as refusal:
        assert str(refusal).startswith("dataflow '")
        return
    assert np.array_equal(result.sums["pointwise"], samples.convolution(samples.LAYERS["pointwise"], x, w).sums)
