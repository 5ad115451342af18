"""What the integer model of TensorFlow Lite makes of given input codes."""

from dataclasses import replace

import numpy as np

from workloads.formats.codes import Codes
from workloads.importers.tflite import import_tflite
from workloads.models.tflite_int8 import TfliteInt8
from workloads.operands import MacOperands
from workloads.walk import reference_output


def output(data, x):
    """[1, H, W, C] codes of a model's last layer for the input [1, H, W, C]."""
    network = import_tflite(data, "case", "case", "case.tflite")
    pixels = (x.view(np.uint8) ^ 0x80) if x.dtype == np.int8 else x
    model = TfliteInt8(replace(network, images=np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))))
    tensors = {"input": model.input_codes()}
    for layer in network.layers:
        maps = [tensors[name] for name in layer.inputs]
        if layer.has_macs:
            bias, requant = model.finishing(layer)
            inputs = Codes(maps[0].values.reshape(layer.input_shape), maps[0].format)
            operands = MacOperands(inputs, model.weight_codes(layer), bias=bias, requant=requant)
            tensors[layer.name] = reference_output(layer, operands)
        else:
            tensors[layer.name] = model.post(layer, maps)
    return np.ascontiguousarray(tensors[network.layers[-1].name].values.transpose(0, 2, 3, 1))
