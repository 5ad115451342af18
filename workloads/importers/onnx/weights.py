"""Weights of one layer between the file's tensor and the network's codes: folding, quantisation, sharing."""

from dataclasses import dataclass, replace

import numpy as np

from workloads.formats.codes import Codes, NumberFormat
from workloads.importers.onnx.tensors import Constant
from workloads.models.int8_pow2 import pow2_codes
from workloads.network import LayerWeights
from workloads.registry import InputError

#: elements that constants and weights made at import may have: a base, and more for each byte the file has
BUDGET_BASE, BUDGET_PER_BYTE = 1 << 24, 4


@dataclass
class Budget:
    """Elements that may still be made at import."""

    left: int

    def spend(self, elements: int, where: str) -> None:
        """InputError when more elements were made than a file may ask for."""
        self.left -= elements
        if self.left < 0:
            raise InputError(
                f"{where}: constants worked out at import have more elements than the file can account for"
            )


@dataclass
class Draft:
    """Parameters of a layer while the operators after it may still be folded in.

    weights: arranged as [M, C/G, R, S]. scale, bias: [M] or one number, float64; None = 1 and 0.
    exact: every factor and summand is known (some quantised networks compute theirs at run time).
    """

    weights: Constant
    scale: np.ndarray | None = None
    bias: np.ndarray | None = None
    exact: bool = True

    def multiply(self, factor: Constant) -> None:
        """Folds a factor into the weights and the bias."""
        if not factor.exact:
            self.exact = False
            return
        values = factor.real().astype(np.float64).reshape(-1)
        self.scale = values if self.scale is None else self.scale * values
        self.bias = None if self.bias is None else self.bias * values

    def add(self, summand: Constant, sign: float = 1.0) -> None:
        """Folds a summand into the bias."""
        if not summand.exact:
            self.exact = False
            return
        values = sign * summand.real().astype(np.float64).reshape(-1)
        self.bias = values if self.bias is None else self.bias + values


@dataclass
class Finisher:
    """Drafts -> LayerWeights; layers that share a stored tensor share its codes. file: its name, for the source."""

    file: str
    budget: Budget

    def __post_init__(self) -> None:
        self.made: dict[tuple, tuple[np.ndarray | None, Codes, str]] = {}

    def finish(self, draft: Draft, filters: int, where: str) -> LayerWeights | None:
        """None where the file has no trained weights (ConstantOfShape: a placeholder)."""
        constant = draft.weights
        if not constant.known or constant.filled:
            return None
        with np.errstate(all="ignore"):
            values, codes, source = self._codes(draft, where)
        bias = None
        if draft.bias is not None and draft.exact:
            bias = np.ascontiguousarray(np.broadcast_to(draft.bias, (filters,)), dtype=np.float64)
            if not np.isfinite(bias).all():
                raise InputError(f"{where}: its bias holds a value that is not finite")
        size = -(-constant.elements * constant.bits // 8) + (0 if bias is None else 4 * filters)
        return LayerWeights(codes, bias, file_bytes=size, values=values, source=source)

    def _codes(self, draft: Draft, where: str) -> tuple[np.ndarray | None, Codes, str]:
        constant = draft.weights
        key = constant.key if draft.scale is None else (object(),)
        if key not in self.made:
            self.budget.spend(constant.elements, where)
            if constant.format is not None:
                codes = _stored_codes(draft, constant.format, where)
                self.made[key] = None, codes, f"{self.file}: {codes.format.bits}-bit codes"
            else:
                self.made[key] = self._quantised(draft, where)
        return self.made[key]

    def _quantised(self, draft: Draft, where: str) -> tuple[np.ndarray, Codes, str]:
        """Real values as symmetric 8-bit codes of one power-of-two scale per layer (the rule of int8-pow2)."""
        values = np.asarray(draft.weights.array, dtype=np.float32)
        if draft.scale is not None and draft.exact:
            values = (values * draft.scale.reshape(-1, 1, 1, 1)).astype(np.float32)
        if not np.isfinite(values).all():
            raise InputError(f"{where}: its weights hold a value that is not finite")
        codes, fraction = pow2_codes(values)
        form = NumberFormat(8, True, 2.0**-fraction)
        kind = draft.weights.stored or "float32"
        source = f"{self.file}: {kind} weights, quantised to symmetric int8 per layer (power-of-two scale)"
        return np.ascontiguousarray(values), Codes(np.ascontiguousarray(codes), form), source


def _stored_codes(draft: Draft, form: NumberFormat, where: str) -> Codes:
    """The file's integers, of this format there; a factor folded in changes what they stand for, not them."""
    constant = draft.weights
    if not draft.exact:
        form = replace(form, scale=None)
    elif draft.scale is not None and form.scale is not None:
        form = _scaled(form, draft.scale, constant.shape)
    try:
        return Codes(np.ascontiguousarray(constant.array), form)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def _scaled(form: NumberFormat, factor: np.ndarray, shape: tuple[int, ...]) -> NumberFormat:
    if form.axis not in (None, 0):
        return replace(form, scale=None)
    scale = np.asarray(form.scale) * factor
    if scale.size == 1 and form.axis is None:
        return replace(form, scale=float(scale.reshape(())))
    return replace(form, scale=tuple(np.broadcast_to(scale, shape[:1]).tolist()), axis=0)
