#!/bin/bash
# ai-edge-litert 2.3.0, x86-64, optimised built-in kernels without delegate (BUILTIN_WITHOUT_DEFAULT_DELEGATES).
# Input: int8 ADD of a tensor [1,1,1,18] and itself (scale 0.1, zero point -123, all codes 122) to scale 0.001, zero
#   point 78: every sum is 245 * 0.1 * 2 / 0.001 = 49,000 steps.
# Expected: a quantised addition saturates: 127 in all 18 places (so do the reference kernels and the XNNPACK delegate).
# Seen: -128 in the first 16 places, 127 in the last 2: the vector body narrows to 16 bits without saturation
#   (49,000 - 65,536 < 0), the scalar tail saturates. Where an element lies in the flat tensor decides its code.
# Why it matters here: integer models that promise these kernels' bits must wrap in whole vectors of 16 (uint8: 8).
set -e
cd "$(mktemp -d)"
python3 -m venv venv
venv/bin/pip install -q ai-edge-litert==2.3.0 numpy
venv/bin/python - <<'PY'
import base64, sys, zlib

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

model = zlib.decompress(base64.b64decode(
    "eNqTYGBgCHHzMWZg4GOQYGBh4GDgYRBgEAHyGBiYgVgAJA/EPECOCBAzAdkiQGwAEgPKsgBpkB4eIC0IxIxQmgGLPANUHkaLgFmY9oLElwAVbADiLUDcwgRxiwwQzwDJM0L0iYD1Qezhg7qVE6oO5D4WqD0wLMQAcX+JAcx9EFdBbIfol2FAAJCes2fO2CLzW/9DAEX2Gw6w/UbE258v1GyFzPdDk2dA4zNBsQQQt+CIXwZoHCsAMSsQm+AxDyYmwCCJZIoE2K0MaP5jxGEfI5J93ECsA9XLhCVNMsFtZwO6jQVIMkDDiIEhNzEzD8YuSS0ugenhgathAcsBACkWKPw="
))
seen = {}
for name in ("BUILTIN_WITHOUT_DEFAULT_DELEGATES", "BUILTIN_REF", "AUTO"):
    lite = Interpreter(model_content=model, experimental_op_resolver_type=getattr(OpResolverType, name))
    lite.allocate_tensors()
    lite.set_tensor(lite.get_input_details()[0]["index"], np.full((1, 1, 1, 18), 122, np.int8))
    lite.invoke()
    seen[name] = lite.get_tensor(lite.get_output_details()[0]["index"]).ravel().tolist()
    print(name, seen[name])
sys.exit(0 if list(seen.values()) == [[-128] * 16 + [127] * 2, [127] * 18, [127] * 18] else 1)
PY
