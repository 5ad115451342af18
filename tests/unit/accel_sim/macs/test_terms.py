"""Recodings into signed powers of two, and the units that issue them."""

import itertools

import numpy as np
import pytest

from accel_sim.macs.essential_bits import EssentialBits
from accel_sim.macs.term_product import TermProduct
from accel_sim.macs.terms import patterns, recode, term_counts

RECODINGS = ("none", "csd", "booth", "runs")
#: magnitude -> terms by hand: 7 = 8 - 1; 85 has no run; 109 = 1101101b: runs of 2, 2 and 1
BY_HAND = {
    "none": {0: 0, 1: 1, 7: 3, 85: 4, 109: 5, 255: 8},
    "csd": {0: 0, 1: 1, 3: 2, 7: 2, 85: 4, 109: 4, 255: 2},
    "booth": {0: 0, 1: 1, 3: 2, 7: 2, 85: 4, 109: 4, 255: 2},
    "runs": {0: 0, 1: 1, 3: 2, 7: 2, 85: 4, 109: 5, 255: 2},
}


@pytest.mark.parametrize("recoding", RECODINGS)
def test_terms_add_up_to_the_number(recoding):
    numbers = np.arange(1 << 16)
    positive, negative = recode(numbers, recoding)
    assert np.array_equal(positive - negative, numbers)
    assert not (positive & negative).any()
    assert np.array_equal(patterns(-numbers, recoding), positive | negative)


@pytest.mark.parametrize("recoding", RECODINGS)
def test_terms_by_hand(recoding):
    for number, terms in BY_HAND[recoding].items():
        assert int(term_counts(np.array([number]), recoding)[0]) == terms, number


def test_csd_has_no_neighbours_and_is_never_longer():
    numbers = np.arange(1 << 14)
    found = patterns(numbers, "csd")
    assert not (found & found >> 1).any()
    for other in RECODINGS:
        assert (term_counts(numbers, "csd") <= term_counts(numbers, other)).all()


@pytest.mark.slow
@pytest.mark.parametrize("unit", [EssentialBits, TermProduct])
@pytest.mark.parametrize("recoding", RECODINGS)
def test_every_product_of_nine_bits(unit, recoding):
    part = unit(activation_bits=9, weight_bits=9, recoding=recoding)
    mode = part.modes[0]
    for a_signed, w_signed in itertools.product((True, False), repeat=2):
        a, w = (np.arange(512) - 256 * signed for signed in (a_signed, w_signed))
        a, w = np.repeat(a, 512)[:, None, None, None], np.tile(w, 512)[:, None, None, None]
        got = part.products(a, w, mode, a_signed, w_signed)
        assert np.array_equal(got.ravel(), (a * w).ravel())


@pytest.mark.parametrize("recoding", RECODINGS)
def test_the_table_of_products_holds_the_cycles_of_each(recoding):
    part = TermProduct(recoding=recoding)
    cost = part.cost(part.mode(8, 8))
    a, w = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128), indexing="ij")
    assert np.array_equal(cost.table, term_counts(a, recoding) * term_counts(w, recoding))


def test_a_narrow_mode_promises_fewer_cycles():
    modes = {mode.activation_bits: mode.cycles for mode in EssentialBits(recoding="csd").modes}
    assert modes == {bits: bits // 2 + 1 for bits in range(1, 9)}


def test_fields_that_make_no_unit():
    with pytest.raises(ValueError, match="first_stage_bits=6 must be at most 5"):
        EssentialBits(first_stage_bits=6)
    with pytest.raises(ValueError, match="activation_bits=10 and weight_bits=8 must be at most 9"):
        TermProduct(activation_bits=10)
