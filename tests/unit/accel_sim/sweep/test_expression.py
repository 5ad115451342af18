import pytest

from accel_sim.sweep.expression import Expression
from workloads.registry import InputError

VALUES = {"array.rows": 16, "array.cols": 8, "mac.name": "serial", "network": "lenet5", "flag": True, "gone": None}


def value(text):
    return Expression(text).value(VALUES.__getitem__)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("array.rows * array.cols", 128),
        ("array.rows // 3 % 4", 1),
        ("-array.cols + 2 ** 3", 0),
        ("array.rows / 32", 0.5),
        ("4 < array.cols <= 8", True),
        ("mac.name == 'serial' and not array.rows > 16", True),
        ("network in ('lenet5', 'vgg16')", True),
        ("network not in ['vgg16']", True),
        ("flag == true", True),
        ("1 if array.cols > 8 else 2", 2),
        ("gone is null or array.cols > 100", True),
        ("false or 0", False),
    ],
)
def test_values(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "array.rows.__class__()",
        "[x for x in (1, 2)]",
        "lambda: 1",
        "f'{array}'",
        "array[0]",
        "(a := 1)",
        "open",
        "{1: 2}",
        "b'x'",
        "1j",
        "*a",
        "...",
    ],
)
def test_nothing_else_may_stand_in_it(text):
    if text == "open":
        with pytest.raises(KeyError):  # a name like any other: it has no value here
            value(text)
        return
    with pytest.raises(InputError, match=r"may stand in it|is no expression"):
        Expression(text)


@pytest.mark.parametrize("text", ["", "array.rows *", "1 +* 2", "(" * 300, "-" * 399 + "1"])
def test_no_expression_is_told_in_one_line(text):
    try:
        Expression(text)
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("array.rows / 0", "division by zero"),
        ("mac.name * 3", "'serial' is no number to calculate with"),
        ("2 ** 65", "exponent 65 is larger than 64"),
        ("mac.name < 3", "'<' not supported"),
        ("10 ** 40", "give no number of a sane size"),
        ("flag + 1", "True is no number"),
        ("(-8) ** 0.5", "no number of"),
    ],
)
def test_wrong_arithmetic_names_the_expression(text, reason):
    with pytest.raises(InputError) as error:
        value(text)
    assert str(error.value).startswith(f"'{text}': ")
    assert reason in str(error.value)
