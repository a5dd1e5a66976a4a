"""Mask2Former: a transformer whose queries each give one class and one mask; instance and panoptic segmentation.

Cheng et al., "Masked-attention Mask Transformer for Universal Image Segmentation" (arXiv:2112.01527), in the version of
the transformers library, on a Swin backbone (Liu et al., arXiv:2103.14030). At width 1 it is the published network on
Swin-T with a depth of 6, on Swin-S with 18. Needs the extra `transformers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from models.archs import Batch, Network, Seen, SeenObject, Task
from models.library import extra, start, whole
from models.objects import objects_of

with extra("mask2former"):
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.archs import Criterion

MIN_SCORE = 0.5
"""Probability of its class from which on a query is shown."""

MIN_LEFT = 0.8
"""Share of its own mask that a query must keep against better ones (MaskFormer, arXiv:2107.06278, section 3.4)."""


class Mask2Former(Network):
    """Class logits (N, queries, classes + 1), the last one for nothing, and mask logits (N, queries, H / 4, W / 4)."""

    task: ClassVar[Task] = "panoptic"
    outputs: ClassVar[tuple[str, ...]] = ("class_logits", "mask_logits")

    def __init__(self, model: Mask2FormerForUniversalSegmentation, stuff: frozenset[int]) -> None:
        super().__init__()
        self.model = model
        self.stuff = stuff
        model.model.pixel_level_module.encoder.swin.layernorm.requires_grad_(requires_grad=False)  # has no say

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.model(pixel_values=x)
        return seen.class_queries_logits, seen.masks_queries_logits

    def training_loss(self, batch: Batch, criterion: Criterion) -> Tensor:  # noqa: ARG002 # queries have a loss of their own
        """Match queries with objects and compare them, after every layer of the decoder.

        Pixels that nobody vouches for belong to no object, as in the paper.
        """
        seen = self.model(pixel_values=batch.pictures, output_auxiliary_logits=True)
        truths = [self._truth(*planes) for planes in zip(batch.classes, batch.objects, strict=True)]
        earlier = [{name: logits.float() for name, logits in layer.items()} for layer in seen.auxiliary_logits]
        with torch.autocast(batch.pictures.device.type, enabled=False):  # the matching knows no half precision
            losses = self.model.get_loss_dict(
                seen.masks_queries_logits.float(),
                seen.class_queries_logits.float(),
                [masks for masks, _ in truths],
                [labels for _, labels in truths],
                earlier,
            )
        return torch.stack(list(losses.values())).sum()

    def _truth(self, classes: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
        """Give a mask (n, H, W) float32 for each object and for all of each stuff class, and their classes (n,)."""
        found = objects_of(classes, objects)
        stuff = torch.tensor([index for index in sorted(self.stuff) if (classes == index).any()], device=classes.device)
        things = [place for place, index in enumerate(found.labels.tolist()) if index not in self.stuff]
        masks = [
            classes == stuff.to(classes.dtype).view(-1, 1, 1),
            found.plane == found.numbers[things].view(-1, 1, 1),
        ]
        return torch.cat(masks).float(), torch.cat([stuff.long(), found.labels[things]])

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> Seen:
        """Give each pixel to the query that is surest of it; what then lost most of its mask is dropped.

        The panoptic inference of MaskFormer, arXiv:2107.06278, section 3.4; pixels of no query are background.
        """
        class_logits, mask_logits = (output[0].astype(np.float32) for output in outputs)
        chance = np.exp(class_logits - class_logits.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        labels, scores = chance[:, :-1].argmax(axis=1), chance[:, :-1].max(axis=1)
        kept = np.flatnonzero(scores > MIN_SCORE)
        masks = 1 / (1 + np.exp(-mask_logits[kept].clip(-30, 30)))
        classes = np.zeros(mask_logits.shape[1:], np.uint8)
        if not len(kept):
            return Seen(classes)
        owner = (scores[kept, None, None] * masks).argmax(axis=0)
        objects = []
        for place, query in enumerate(kept):
            whole_mask = masks[place] >= 0.5
            mine = whole_mask & (owner == place)
            if not mine.any() or mine.sum() < MIN_LEFT * whole_mask.sum():
                continue
            classes[mine] = labels[query]
            if int(labels[query]) not in self.stuff:
                score = float(scores[query] * masks[place][mine].mean())
                objects.append(SeenObject(int(labels[query]), score, mine))
        return Seen(classes, tuple(sorted(objects, key=lambda seen: -seen.score)))


def build(
    classes: int,
    width: float = 1.0,
    depth: float = 6,
    encoder_layers: float = 6,
    decoder_layers: float = 10,
    queries: float = 100,
    stuff: str | float = "0",
    weights: str = "",
) -> Network:
    """Build a Mask2Former.

    Args:
        classes: class 0 included.
        width: scales the channels, in steps of 32; the decoder has at most the published 256.
        depth: Swin blocks in the third stage; the other stages have two, or one where this is 1.
        encoder_layers: of the pixel decoder.
        decoder_layers: of the transformer decoder, as the library counts them, the queries' own included.
        queries: how many objects can be seen at once.
        stuff: indices of the classes that have no separate objects, with commas; class 0 always is one of them.
        weights: where training starts, a folder or a name on the hub; empty for chance.

    Raises:
        ModelError: the extra `transformers` is absent, or the weights can't be used.
        ValueError: an option is out of its range.
    """
    channels = 32 * min(8, max(1, round(8 * width)))
    config = Mask2FormerConfig(
        backbone_config=_backbone(max(1, round(3 * width)), whole("depth", depth, 1, 48)),
        feature_size=channels,
        mask_feature_size=channels,
        hidden_dim=channels,
        num_attention_heads=channels // 32,
        encoder_feedforward_dim=4 * channels,
        dim_feedforward=8 * channels,
        encoder_layers=whole("encoder_layers", encoder_layers, 1, 24),
        decoder_layers=whole("decoder_layers", decoder_layers, 2, 24),
        num_queries=whole("queries", queries, 1, 1000),
        num_labels=classes,
        attn_implementation="eager",  # what the exporter can follow
    )
    indices = frozenset({0, *_indices(stuff, classes)})
    with extra("mask2former"):  # it looks for SciPy only now
        model = start(
            Mask2FormerForUniversalSegmentation, config, weights, fresh=("class_predictor", "criterion.empty_weight")
        )
    return Mask2Former(model, indices)


def _backbone(heads: int, blocks: int) -> SwinConfig:
    outer = min(2, blocks)
    return SwinConfig(
        embed_dim=32 * heads,
        depths=[outer, outer, blocks, outer],
        num_heads=[heads, 2 * heads, 4 * heads, 8 * heads],
        drop_path_rate=0.0,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )


def _indices(text: str | float, classes: int) -> set[int]:
    try:
        return {whole("stuff", float(part), 0, classes - 1) for part in str(text).split(",") if part.strip()}
    except ValueError as error:
        raise ValueError(f"stuff = {text!r}: must be class indices up to {classes - 1}, with commas between") from error
