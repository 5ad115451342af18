"""Protobuf text format: text -> messages, and typed look-ups in them that refuse what nobody asked for."""

import math
import re
from typing import Any, NoReturn

from workloads.importers.record import Record
from workloads.registry import InputError

LIMIT_DEPTH = 16
#: no size in a layer may exceed this
LIMIT_SIZE = 1 << 20
_TOKEN = re.compile(r"""\s+|\#[^\n]*|([{}:])|"([^"\\\n]*)"|'([^'\\\n]*)'|([A-Za-z0-9_.+\-]+)|(.)""", re.DOTALL)
Message = dict[str, list[Any]]
#: message -> its fields that change no shape and no value of inference (caffe.proto)
HARMLESS = {
    "": ("force_backward", "debug_info"),
    "layer": ("propagate_down", "loss_weight", "blobs_lr", "weight_decay"),
    "param": ("lr_mult", "decay_mult"),
    "convolution_param": ("weight_filler", "bias_filler", "engine", "force_nd_im2col"),
    "inner_product_param": ("weight_filler", "bias_filler"),
    "pooling_param": ("engine",), "lrn_param": ("engine",), "softmax_param": ("engine",), "relu_param": ("engine",),
    "eltwise_param": ("stable_prod_grad",),
    "dropout_param": ("dropout_ratio", "scale_train"),
}  # fmt: skip


def parse(text: str, where: str) -> Message:
    """Protobuf text format -> field name -> its values, in order (a message is a mapping again)."""
    stack: list[Message] = [{}]
    name: str | None = None
    colon = False
    for match in _TOKEN.finditer(text):
        mark, *quoted, word, bad = match.groups()
        string = next((value for value in quoted if value is not None), None)
        if mark is None and string is None and word is None and bad is None:
            continue

        def refuse(what: str, at: int = match.start()) -> NoReturn:
            raise InputError(f"{where} line {text.count(chr(10), 0, at) + 1}: broken prototxt: {what}")

        if bad is not None:
            refuse(f"unexpected '{bad}'")
        if mark == "{":
            if name is None:
                refuse("'{' without a name before it")
            if len(stack) > LIMIT_DEPTH:
                refuse(f"nested deeper than {LIMIT_DEPTH}")
            inner: Message = {}
            stack[-1].setdefault(name, []).append(inner)
            stack.append(inner)
            name, colon = None, False
        elif mark == "}":
            if name is not None or len(stack) == 1:
                refuse("unexpected '}'")
            stack.pop()
        elif mark == ":":
            if name is None or colon:
                refuse("unexpected ':'")
            colon = True
        elif name is None:
            if word is None:
                refuse("expected a field name")
            name = word
        elif not colon:
            refuse(f"expected ':' or '{{' after '{name}'")
        else:
            stack[-1].setdefault(name, []).append(string if string is not None else word)
            name, colon = None, False
    if len(stack) > 1 or name is not None:
        raise InputError(f"{where}: broken prototxt: it ends inside a message")
    return stack[0]


class Fields:
    """Typed look-ups in one message; errors begin with ``where``. name: of the field that holds the message."""

    def __init__(self, message: Any, where: str, name: str = ""):
        self.where, self.name = where, name
        inner = name not in ("", "layer")
        self.record = Record(message if isinstance(message, dict) else {}, f"{where}: {name}" if inner else where)
        self.children: dict[str, list[Fields]] = {}

    def refuse(self, what: str) -> InputError:
        """An InputError that says where."""
        return InputError(f"{self.where}: {what}")

    def done(self) -> None:
        """InputError for a field, here or in a message inside, that was neither asked for nor is harmless."""
        self.record.done(HARMLESS.get(self.name, ()))
        for messages in self.children.values():
            for message in messages:
                message.done()

    def has(self, name: str) -> bool:
        """Whether the field is given."""
        return name in self.record

    def texts(self, name: str) -> list[str]:
        """All values of a repeated field."""
        values = self.record.get(name, [])
        if not all(isinstance(value, str) for value in values):
            raise self.refuse(f"{name}: expected a value, not a message")
        return values

    def text(self, name: str, default: str | None = None) -> str:
        """The value of a field that may stand once."""
        values = self.texts(name)
        if len(values) == 1:
            return values[0]
        if values or default is None:
            raise self.refuse(f"expected one {name}")
        return default

    def choice(self, name: str, values: dict[str, Any], default: str) -> Any:
        """What a word (or the number it has in caffe.proto) stands for; values: in the order of their numbers."""
        text = self.text(name, default)
        word = list(values)[int(text)] if text.isdigit() and int(text[:4]) < len(values) else text
        if word not in values or values[word] is None:
            known = " or ".join(word for word, meaning in values.items() if meaning is not None)
            raise self.refuse(f"{name}: expected {known}, not '{text}'")
        return values[word]

    def only(self, name: str, default: int, allowed: tuple[int, ...], meaning: str) -> None:
        """InputError unless an integer field has one of the values that are all we know to read."""
        text = self.text(name, str(default))
        if text not in map(str, allowed):
            raise self.refuse(f"{name}: expected {allowed[0]} ({meaning}), not '{text}'")

    def numbers(self, name: str) -> list[int]:
        """All values of a repeated field, integers."""
        return [self._number(name, value) for value in self.texts(name)]

    def number(self, name: str, default: int | None = None) -> int:
        """An integer that may stand once."""
        if not self.has(name):
            if default is None:
                raise self.refuse(f"{name} is missing")
            return default
        return self._number(name, self.text(name))

    def real(self, name: str, default: float) -> float:
        """A number that may stand once, not negative."""
        text = self.text(name, str(default))
        try:
            value = float(text) if len(text) <= 32 else math.nan
        except ValueError:
            value = math.nan
        if not 0 <= value <= LIMIT_SIZE:
            raise self.refuse(f"{name}: expected a number from 0 to {LIMIT_SIZE}, not {text!r}")
        return value

    def _number(self, name: str, value: str) -> int:
        if not value.isascii() or not value.isdigit() or len(value) > 9 or int(value) > LIMIT_SIZE:
            raise self.refuse(f"{name}: expected an integer from 0 to {LIMIT_SIZE}, not {value!r}")
        return int(value)

    def pair(self, stem: str, parts: tuple[str, str] | None, default: int | None, most: int = 2) -> tuple[int, int]:
        """(vertical, horizontal): one value for both, at most ``most`` values, or the two fields of ``parts``.

        default: of both; None: one must be given. As Caffe, a value and parts together are refused.
        """
        values = self.numbers(stem)
        given = [part for part in parts or () if self.has(part)]
        if len(values) > most or (values and given):
            raise self.refuse(f"expected one {stem}, or {' and '.join(parts or (stem, 'no more'))}")
        if parts and given:
            if len(given) < 2 and default != 0:
                raise self.refuse(f"{given[0]} is given, and {' and '.join(set(parts) - set(given))} is missing")
            return self.number(parts[0], 0), self.number(parts[1], 0)
        if values:
            return values[0], values[-1]
        if default is None:
            raise self.refuse(f"{stem} is missing")
        return default, default

    def flag(self, name: str, default: bool) -> bool:
        """true or false."""
        text = self.text(name, "true" if default else "false")
        if text not in ("true", "false"):
            raise self.refuse(f"{name}: expected true or false, not '{text}'")
        return text == "true"

    def messages(self, name: str) -> "list[Fields]":
        """All messages of a repeated field."""
        if name not in self.children:
            values = self.record.get(name, [])
            if not all(isinstance(value, dict) for value in values):
                raise self.refuse(f"{name}: expected a message in braces, not a value")
            self.children[name] = [Fields(value, self.where, name) for value in values]
        return self.children[name]

    def inner(self, name: str) -> "Fields":
        """A message that may stand once (an empty one if it is not there)."""
        found = self.messages(name)
        if len(found) > 1:
            raise self.refuse(f"expected one {name}")
        return found[0] if found else Fields({}, self.where, name)
