"""Conditions and derived values of a study: arithmetic, comparisons and and/or/not over a point's values, no more."""

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workloads.registry import InputError

_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
    ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip
_UNARY: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}
_WORDS = {"true": True, "false": False, "null": None}
#: an exponent is no larger, so that nothing grows without bound
LARGEST_EXPONENT = 64
LONGEST = 400


@dataclass(frozen=True)
class Expression:
    """text: as the user wrote it; raises InputError at birth unless it is made of allowed parts."""

    text: str

    def __post_init__(self) -> None:
        _check(self._tree, self.text)

    @property
    def _tree(self) -> ast.expr:
        if not isinstance(self.text, str) or len(self.text) > LONGEST:
            raise InputError(f"expected an expression such as array.rows * array.cols <= 1024, not {self.text!r:.80}")
        try:
            return ast.parse(self.text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise InputError(f"'{self.text}' is no expression, such as array.rows * array.cols <= 1024") from None

    def value(self, lookup: Callable[[str], Any]) -> Any:
        """lookup: dotted name -> its value at the point. InputError for a name without a value or wrong arithmetic."""
        try:
            return _value(self._tree, lookup)
        except InputError as error:
            raise InputError(f"'{self.text}': {error}") from None
        except (ArithmeticError, TypeError, ValueError) as error:
            raise InputError(f"'{self.text}': {error}") from None


def _dotted(node: ast.expr) -> str | None:
    """a.b.c, or None if the node is no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return None if before is None else f"{before}.{node.attr}"
    return None


def _check(node: ast.expr, text: str) -> None:
    parts: list[ast.expr] = []
    good = True
    match node:
        case ast.Constant():
            good = isinstance(node.value, int | float | str | None)
        case ast.Name() | ast.Attribute():
            good = _dotted(node) is not None
        case ast.BinOp():
            good, parts = type(node.op) in _ARITHMETIC, [node.left, node.right]
        case ast.UnaryOp():
            good, parts = type(node.op) in _UNARY, [node.operand]
        case ast.BoolOp():
            parts = node.values
        case ast.Compare():
            good, parts = all(type(op) in _COMPARE for op in node.ops), [node.left, *node.comparators]
        case ast.IfExp():
            parts = [node.test, node.body, node.orelse]
        case ast.Tuple() | ast.List():
            parts = node.elts
        case _:
            good = False
    if not good:
        raise InputError(f"'{text}': only names, numbers, texts, arithmetic, comparisons, and, or, not may stand in it")
    for part in parts:
        _check(part, text)


def _value(node: ast.expr, lookup: Callable[[str], Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() | ast.Attribute():
            name = _dotted(node) or ""
            return _WORDS[name] if name in _WORDS else lookup(name)
        case ast.BinOp():
            return _arithmetic(type(node.op), _value(node.left, lookup), _value(node.right, lookup))
        case ast.UnaryOp():
            return _UNARY[type(node.op)](_value(node.operand, lookup))
        case ast.BoolOp():
            stop = isinstance(node.op, ast.Or)
            found = not stop
            for part in node.values:
                found = bool(_value(part, lookup))
                if found is stop:
                    break
            return found
        case ast.Compare():
            left = _value(node.left, lookup)
            for op, part in zip(node.ops, node.comparators, strict=True):
                right = _value(part, lookup)
                if not _COMPARE[type(op)](left, right):
                    return False
                left = right
            return True
        case ast.IfExp():
            return _value(node.body if _value(node.test, lookup) else node.orelse, lookup)
        case ast.Tuple() | ast.List():
            return [_value(part, lookup) for part in node.elts]
    raise AssertionError(f"unchecked node {type(node).__name__}")


def _arithmetic(op: type, left: Any, right: Any) -> Any:
    for side in (left, right):
        if isinstance(side, bool) or not isinstance(side, int | float):
            raise InputError(f"{side!r} is no number to calculate with")
    if op is ast.Pow and abs(right) > LARGEST_EXPONENT:
        raise InputError(f"exponent {right} is larger than {LARGEST_EXPONENT}")
    found = _ARITHMETIC[op](left, right)
    if isinstance(found, complex) or abs(found) > 1e30:
        raise InputError(f"{left} and {right} give no number of a sane size")
    return found
