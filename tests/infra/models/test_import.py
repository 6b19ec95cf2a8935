import subprocess
import sys
from pathlib import Path

import carrel

HEAVY = ["numpy", "onnx", "onnxruntime", "safetensors", "tokenizers"]


def test_importing_the_models_loads_no_numerical_library():
    program = f"import sys, carrel.infra.models; print([name for name in {HEAVY} if name in sys.modules])"

    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(carrel.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout.strip() == "[]"
