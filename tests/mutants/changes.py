"""Every small change that can be made to a file: one operator, one number or one condition becomes another."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARE = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in",
           ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is"}  # fmt: skip
ARITHMETIC = {ast.Add: "-", ast.Sub: "+", ast.Mult: "//", ast.FloorDiv: "*", ast.Div: "*", ast.Mod: "*", ast.Pow: "*",
              ast.LShift: ">>", ast.RShift: "<<", ast.BitAnd: "|", ast.BitOr: "&"}  # fmt: skip
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}


@dataclass(frozen=True)
class Change:
    """A place in a file and what stands there instead. at: (first byte, last byte) of the text that is replaced."""

    path: str
    line: int
    at: tuple[int, int]
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.old.strip()} -> {self.new.strip(' ()') or 'nothing'}"

    def applied(self, source: bytes) -> bytes:
        """The file's bytes with it."""
        return source[: self.at[0]] + self.new.encode() + source[self.at[1] :]


def changes(path: str, source: bytes) -> list[Change]:
    """Of a file, in order. Texts, annotations and what only words an error are left alone."""
    tree = ast.parse(source)
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: ast.AST) -> tuple[int, int]:
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    def between(left: ast.AST, right: ast.AST, node: ast.AST, new: str) -> Change:
        at = span(left)[1], span(right)[0]
        old = source[at[0] : at[1]].decode()
        sign = old.strip(" ()\n")
        return Change(path, node.lineno, at, sign, old.replace(sign, new, 1))

    found = []
    for node in _living(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            found.append(between(node.left, node.comparators[0], node, COMPARE[type(node.ops[0])]))
        elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC and not _text(node.left):
            found.append(between(node.left, node.right, node, ARITHMETIC[type(node.op)]))
        elif isinstance(node, ast.BoolOp):
            new = "or" if isinstance(node.op, ast.And) else "and"
            found.append(between(node.values[0], node.values[1], node, new))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            at = span(node)[0], span(node.operand)[0]
            found.append(Change(path, node.lineno, at, "not ", ""))
        elif isinstance(node, ast.Constant) and type(node.value) in (int, bool):
            new = str(not node.value if type(node.value) is bool else node.value + 1)
            found.append(Change(path, node.lineno, span(node), str(node.value), new))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            found.append(Change(path, node.lineno, span(node.func), node.func.id, CALLS[node.func.id]))
    return found


def _living(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below but annotations, texts, what is raised and what is only looked up by a type checker."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.keyword) and child.arg == "strict":
                continue  # of zip: what it would refuse never comes
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr | ast.Raise | ast.Import):
                yield child
                yield from _living(child)


def _text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def sources(root: Path, group: str) -> list[Path]:
    """Python files of a group, 'folder' or 'file.py', sorted."""
    at = root / group
    return [at] if at.is_file() else sorted(path for path in at.rglob("*.py") if path.name != "__init__.py")
