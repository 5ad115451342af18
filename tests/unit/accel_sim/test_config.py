"""Settings put over a machine: another part takes the place of one by its name."""

import pytest

from accel_sim import load_hardware
from workloads.registry import InputError


def test_another_part_keeps_the_fields_it_shares_with_the_one_before():
    machine = load_hardware("eie", {"dataflow.name": "systolic", "dataflow.stationary": "ws"})
    assert type(machine.dataflow).__name__ == "Systolic"
    assert machine.dataflow.stationary == "ws"
    assert machine.dataflow.codebook_bits == load_hardware("eie").dataflow.codebook_bits


def test_the_name_is_put_first_whatever_the_order():
    settings = {"encodings.weights.index_bits": 3, "encodings.weights.name": "relative_index"}
    found = [load_hardware("systolic", dict(order)) for order in (settings.items(), reversed(settings.items()))]
    assert found[0] == found[1]
    assert found[0].encodings["weights"].index_bits == 3


def test_a_field_of_the_part_before_is_refused_when_the_user_gives_it():
    with pytest.raises(InputError, match=r"dataflow\.queue_depth: unknown key"):
        load_hardware("eie", {"dataflow.name": "systolic", "dataflow.queue_depth": 4})
