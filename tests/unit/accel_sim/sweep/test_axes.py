import pytest

from accel_sim.sweep.axes import values
from workloads.registry import InputError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([4, "os", None], [4, "os", None]),
        ({"range": [4, 10, 3]}, [4, 7, 10]),
        ({"range": [4, 9, 3]}, [4, 7]),
        ({"range": [0, 0.3, 0.1]}, [0.0, 0.1, 0.2, 0.3]),
        ({"log": [4, 64, 2]}, [4, 8, 16, 32, 64]),
        ({"log": [1, 63, 2]}, [1, 2, 4, 8, 16, 32]),
        ({"log": [1, 1000], "count": 4}, [1, 10, 100, 1000]),
        ({"log": [1, 3], "count": 5}, [1, 2, 3]),
        ({"log": [0.1, 10], "count": 3}, [0.1, 1.0, 10.0]),
    ],
)
def test_values(given, expected):
    assert values(given) == expected
    assert list(map(type, values(given))) == list(map(type, expected))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "has no values"),
        ([1, 2, 1], "holds the same value twice"),
        (3, "expected a list"),
        ("os", "expected a list"),
        ({"range": [1, 2]}, "expected range: [low, high, step]"),
        ({"range": [2, 1, 1]}, "expected low <= high"),
        ({"range": [1, 2, 0]}, "a positive step"),
        ({"range": [0, 1e9, 1]}, "at most 100000"),
        ({"range": [0, True, 1]}, "expected range"),
        ({"range": [0, float("inf"), 1]}, "expected range"),
        ({"log": [0, 8, 2]}, "expected 0 < low"),
        ({"log": [1, 8, 1]}, "a base above 1"),
        ({"log": [1, 1e29, 1.0001]}, "has more than"),
        ({"log": [1, 8], "count": 1}, "count: expected"),
        ({"log": [8, 8], "count": 3}, "expected 0 < low < high"),
        ({"lin": [1, 2]}, "expected a list"),
    ],
)
def test_what_is_no_axis(given, reason):
    with pytest.raises(InputError) as error:
        values(given)
    assert reason in str(error.value)
