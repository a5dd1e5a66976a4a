"""litert-torch's PT2E of a network as PyTorch exported it, pictures last in channels; static, a scale per channel."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

import litert_torch  # noqa: E402 - this file has the library's name
import numpy as np  # noqa: E402
import torch  # noqa: E402
from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config  # noqa: E402
from litert_torch.quantize.quant_config import QuantConfig  # noqa: E402
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e  # noqa: E402


def main(program: Path, pictures: np.ndarray, out: Path) -> None:
    shown = [(torch.from_numpy(picture.transpose(1, 2, 0)[None].copy()),) for picture in pictures]
    quantiser = PT2EQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True, is_dynamic=False))
    prepared = prepare_pt2e(torch.export.load(program).module(), quantiser)
    with torch.inference_mode():
        for one in shown:
            prepared(*one)
    made = convert_pt2e(prepared, fold_quantize=False)
    settings = QuantConfig(pt2e_quantizer=quantiser)
    litert_torch.convert(made, shown[0], quant_config=settings).export(str(out / "litert-torch pt2e.tflite"))


if __name__ == "__main__":
    main(Path(sys.argv[1]).with_suffix(".pt2"), np.load(sys.argv[2]), Path(sys.argv[3]))
