"""The child process that turns a converted model's weights and layers into int8: embeddings_int8.py runs it.

NNCF takes 2.4 GB while it calibrates and prints bars of its own; both go with this process. Reads from standard input
{"model", "tokens", "target"}: the model's file, the token ids of each calibration text, and the file to write.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import nncf
import numpy as np
import openvino


def main() -> None:
    """Quantise the model that standard input tells of."""
    told = json.load(sys.stdin)
    model = openvino.Core().read_model(told["model"])

    def feed(ids: list[int]) -> dict[str, Any]:
        return {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64)}

    quantized = nncf.quantize(
        model,
        nncf.Dataset(told["tokens"], feed),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(told["tokens"]),
    )
    openvino.save_model(quantized, told["target"])


if __name__ == "__main__":
    main()
