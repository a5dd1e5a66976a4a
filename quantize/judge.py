"""Judge: what an INT8 form loses on the pictures it is chosen by, which neither calibration nor the test has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter
from tqdm import tqdm

from edge import runtimes
from quantize.evaluate import read_sample, segmenter_of
from quantize.figures import Parity
from quantize.notebook import key_of
from quantize.parity import Seen, beside, seen, summarise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.picture import Picture
    from models.card import ModelCard
    from models.sample import Sample
    from quantize.notebook import Notebook


T = TypeVar("T")

PARITY = TypeAdapter(Parity)


def evenly(items: Sequence[T], most: int) -> Sequence[T]:
    """Draw at most so many, evenly over all."""
    return items[:: -(-len(items) // most)]


class Judge:
    """Holds what float makes of some pictures, and compares INT8 forms with it at frame resolution."""

    def __init__(
        self,
        folded: Path,
        samples: Sequence[Sample],
        card: ModelCard,
        threads: int = 0,
        notebook: Notebook | None = None,
    ) -> None:
        """Run float, which `quantize.fold` made. Raises DatasetError, PictureError or ModelError."""
        self.card, self._threads, self._notebook = card, threads, notebook
        self.pictures: list[Picture] = []  # at the network's input size
        self._seen: list[Seen] = []
        with runtimes.create("onnxruntime", folded, threads=threads) as runtime:
            segmenter = segmenter_of(card, runtime)
            for sample in tqdm(samples, desc="float on validation", unit="picture", disable=None, leave=False):
                picture, truth = read_sample(sample, card.classes)
                prepared, (height, width) = segmenter.prepare(picture), truth.shape
                self.pictures.append(prepared)
                mask = segmenter.infer(prepared, width, height)
                self._seen.append(seen(mask, sample, truth, len(card.classes)))
        self.key = key_of("judge", folded, *self.pictures, *(one.truth for one in self._seen))

    def __call__(self, runtime: str, entry: Path) -> Parity:
        """Compare an INT8 form, the only one in its folder, with float. Raises ModelError."""

        def measured() -> Parity:
            with runtimes.create(runtime, entry, threads=self._threads) as opened:
                return self.compare(opened)

        if self._notebook is None:
            return measured()
        return self._notebook.recall(
            key_of("parity", self.key, runtime, *sorted(entry.parent.iterdir())), PARITY, measured
        )

    def compare(self, opened: runtimes.Runtime) -> Parity:
        """Compare what an open runtime makes of the pictures with what float made of them. Raises ModelError."""
        segmenter, found = segmenter_of(self.card, opened), []
        progress = tqdm(self.pictures, desc="comparing masks", unit="picture", disable=None, leave=False)
        for prepared, float_ in zip(progress, self._seen, strict=True):
            height, width = float_.truth.shape
            found.append(beside(float_, segmenter.infer(prepared, width, height), len(self.card.classes)))
        return summarise(found, self.card.class_names, self.card.focus_id)
