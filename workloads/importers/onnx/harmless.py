"""Attributes of ONNX operators that change no shape, no weight and no format, and may be left unread.

Kinds: constants of a function whose values are not worked out (synthetic activations stand in for them), rules of
rounding and of what training does, and which of equal elements is taken.
"""

_EPSILON = ("epsilon", "stash_type")
#: operator -> names
HARMLESS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("LeakyRelu", "ThresholdedRelu", "Elu", "Celu", "Swish"), ("alpha",)),
    **dict.fromkeys(("com.microsoft.QLinearLeakyRelu", "com.microsoft.QuickGelu"), ("alpha",)),
    "Selu": ("alpha", "gamma"), "HardSigmoid": ("alpha", "beta"), "Gelu": ("approximate",), "Mod": ("fmod",),
    "BatchNormalization": ("epsilon", "momentum"), "InstanceNormalization": _EPSILON, "GroupNormalization": _EPSILON,
    "LayerNormalization": _EPSILON, "RMSNormalization": _EPSILON, "SimplifiedLayerNormalization": _EPSILON,
    "com.microsoft.SimplifiedLayerNormalization": _EPSILON,
    "Dropout": ("ratio", "seed"), "Cast": ("to", "saturate", "round_mode"), "CastLike": ("saturate", "round_mode"),
    "MaxPool": ("storage_order",), "ArgMax": ("select_last_index",), "ArgMin": ("select_last_index",),
    "QuantizeLinear": ("saturate", "precision"), "DequantizeLinear": ("output_dtype",),
    "Resize": ("cubic_coeff_a", "exclude_outside", "extrapolation_value", "antialias"),
}  # fmt: skip
#: of every operator before set 7: hints for training, who may overwrite an input, and whether shapes may differ (they
#: are compared anyway)
OLD_HARMLESS = ("consumed_inputs", "is_test", "broadcast")
