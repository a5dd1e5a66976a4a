"""Cross-runtime: the masks of one INT8 file where other kernels than this machine's compute it.

OpenVINO: oneDNN, which computes for it, may lack VNNI; then it adds two products of 8-bit numbers in 16 bits and cuts
off there. It reads which instructions it may use once per process, so another process runs the network: called as a
program, this file takes a network, pictures and where the class maps go. LiteRT: its reference kernels, which define
what INT8 means. ONNX Runtime: operators one by one, quantisers computed in float, as TensorRT simulates them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from edge import runtimes
from edge.errors import ModelError
from models.metrics import binary_iou
from quantize.session import Level, open_session, run_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ai_edge_litert.interpreter import Interpreter

    from edge.picture import Picture

OLDER = {"ONEDNN_MAX_CPU_ISA": "AVX2"}


def cross_runtime(runtime: str, entry: Path, pictures: Sequence[Picture], focus: int) -> dict[str, float]:
    """Give, by the name of other kernels, the IoU of the focus class's masks with those of the runtime as it is.

    Args:
        runtime: its name in `edge.runtimes`.
        entry: the INT8 network.
        pictures: (H, W, 3) uint8 BGR at the network's input size.
        focus: index of the class.

    Returns:
        IoU over all pictures, 1 where neither shows the class; nothing for a runtime with one set of kernels only.

    Raises:
        ModelError: the network can't be run.
    """
    if runtime not in KERNELS:
        return {}
    name, classes_of = KERNELS[runtime]
    other = classes_of(entry, pictures)
    return {name: binary_iou(_as_it_is(runtime, entry, pictures) == focus, other == focus)}


def _as_it_is(runtime: str, entry: Path, pictures: Sequence[Picture]) -> np.ndarray:
    with runtimes.create(runtime, entry, threads=1) as network:
        return np.stack([network.infer(picture)[0] for picture in pictures])


def _without_vnni(entry: Path, pictures: Sequence[Picture]) -> np.ndarray:
    with tempfile.TemporaryDirectory(prefix="edgeloupe-") as folder:
        given, made = Path(folder) / "pictures.npy", Path(folder) / "classes.npy"
        np.save(given, np.stack(pictures))
        command = [sys.executable, "-m", "quantize.cross_runtime", str(entry), str(given), str(made)]
        done = subprocess.run(command, env=os.environ | OLDER, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ModelError(f"{entry}: can't be run with older instructions: {done.stderr.strip().splitlines()[-1]}")
        return np.asarray(np.load(made))


def _by_reference_kernels(entry: Path, pictures: Sequence[Picture]) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: PLC0415 - openvino's process needs none

    from edge.runtimes.litert import LiteRt  # noqa: PLC0415

    class Reference(LiteRt):
        def _load(self, model: str, threads: int) -> Interpreter:
            kernels = OpResolverType.BUILTIN_REF
            return Interpreter(model, num_threads=threads, experimental_op_resolver_type=kernels)

    with Reference(entry, threads=1, lanes=1) as network:
        return np.stack([network.infer(picture)[0] for picture in pictures])


def _one_by_one(entry: Path, pictures: Sequence[Picture]) -> np.ndarray:
    session = open_session(onnx.load(entry), str(entry), Level.ORT_DISABLE_ALL)
    given, made = session.get_inputs()[0].name, session.get_outputs()[0].name
    return np.stack([run_session(session, [made], {given: p[None]}, str(entry))[0][0] for p in pictures])


KERNELS = {
    "openvino": ("oneDNN without VNNI", _without_vnni),
    "litert": ("LiteRT's reference kernels", _by_reference_kernels),
    "onnxruntime": ("ONNX Runtime, nothing fused", _one_by_one),
}


if __name__ == "__main__":
    np.save(sys.argv[3], _as_it_is("openvino", Path(sys.argv[1]), np.load(sys.argv[2])))
