"""Protobuf's wire format, walked over before anything is parsed: what a file would cost is known before it is paid.

A parser makes an object of every message, so that two bytes of a file can become a hundred of memory. The walk follows
the schema's own descriptors, skips blobs unread, and refuses broken lengths, deep nesting and too many fields.
Format: protobuf.dev/programming-guides/encoding.
"""

from typing import Any

from workloads.registry import InputError

#: messages within messages; a plain graph needs 6, each subgraph 3 more (protobuf itself stops at 100)
LIMIT_DEPTH = 32
#: fields in all messages; a node has about 15, so this is some 25,000 nodes
LIMIT_FIELDS = 400_000
#: bytes of packed variable-length integers: each may be one byte in the file and eight in memory
LIMIT_PACKED = 32 << 20
#: wire types: variable-length integer, 8 bytes, length and content, 4 bytes
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
#: descriptor types that are written as variable-length integers
_VARINTS = {3, 4, 5, 8, 13, 14, 17, 18}
_MESSAGE = 11


def walk(data: memoryview, root: Any, where: str) -> None:
    """data: a whole file; root: descriptor of the message it holds. Raises InputError if it must not be parsed."""
    tables: dict[str, dict[int, Any]] = {}
    stack: list[tuple[int, dict[int, Any]]] = [(len(data), _table(root, tables))]
    at = fields = packed = 0
    while stack:
        end, table = stack[-1]
        if at == end:
            stack.pop()
            continue
        fields += 1
        if fields > LIMIT_FIELDS:
            raise InputError(f"{where}: has more than {LIMIT_FIELDS} fields")
        tag, at = data[at], at + 1
        if tag > 127:
            tag, at = _varint(data, at - 1, end, where)
        kind = tag & 7
        if kind == VARINT:
            _, at = _varint(data, at, end, where)
            continue
        if kind == LENGTH:
            length, at = (data[at], at + 1) if at < end and data[at] < 128 else _varint(data, at, end, where)
            held = table.get(tag >> 3)
            if length > end - at:
                raise InputError(
                    f"{where}: broken file: {length} bytes at byte {at} reach past the end of their message"
                )
            if held is not None and held is not VARINT:
                if len(stack) > LIMIT_DEPTH:
                    raise InputError(f"{where}: messages are nested deeper than {LIMIT_DEPTH}")
                if length:
                    stack.append((at + length, _table(held, tables)))
                continue
            packed += length if held is VARINT else 0
            if packed > LIMIT_PACKED:
                raise InputError(f"{where}: more than {LIMIT_PACKED} bytes of packed integers (store them as raw data)")
            at += length
        elif kind in (FIXED64, FIXED32):
            at += 8 if kind == FIXED64 else 4
        else:
            raise InputError(f"{where}: broken file: unknown wire type {kind} before byte {at}")
        if at > end:
            raise InputError(f"{where}: broken file: a field reaches past the end of its message at byte {end}")


def _table(descriptor: Any, tables: dict[str, dict[int, Any]]) -> dict[int, Any]:
    """Field number -> descriptor of the message it holds, or VARINT for integers that may be packed."""
    if descriptor.full_name not in tables:
        found: dict[int, Any] = {}
        for field in descriptor.fields:
            if field.type == _MESSAGE:
                found[field.number] = field.message_type
            elif field.type in _VARINTS:
                found[field.number] = VARINT
        tables[descriptor.full_name] = found
    return tables[descriptor.full_name]


def _varint(data: memoryview, at: int, end: int, where: str) -> tuple[int, int]:
    """(value, place after it) of a variable-length integer of at most ten bytes."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise InputError(f"{where}: broken file: an integer at byte {at} does not end")
