"""Sam: a promptable network; somebody clicks on a thing and gets its mask.

SAM 2's network for single pictures (Ravi et al., arXiv:2408.00714) in the version of the transformers library, on a
Hiera backbone (Ryali et al., arXiv:2306.00989); at width 1 it is the published one on Hiera-T with a depth of 7, on
Hiera-S with 11. Pictures need not be square. The encoder runs once a picture, the decoder once a click. Needs the
extra `transformers`.

Beside being a token, a click is drawn as a spot that goes in where SAM takes a mask as a prompt: from chance weights
and a few hundred pictures tokens alone are not learned to be places. With weights to start from, spots begin at none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.annotation import IGNORE
from models.archs import Batch, Network, Part, Seen, SeenObject, Task
from models.library import extra, start, whole
from models.objects import objects_of

with extra("sam"):
    from transformers import (
        Sam2Config,
        Sam2HieraDetConfig,
        Sam2MaskDecoderConfig,
        Sam2Model,
        Sam2PromptEncoderConfig,
        Sam2VisionConfig,
    )

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.archs import Criterion

STRIDE = 16
"""Of the coarsest features, in pixels of the picture."""

OBJECTS = 4
"""Objects that are clicked on in one training picture."""

ROUNDS = 3
"""Clicks on each of them, one after the other."""

FOCAL_WEIGHT = 20.0  # against 1 for Dice and for the predicted IoU; Segment Anything, arXiv:2304.02643, appendix A

OTHERS_WEIGHT = 0.05
"""Of the masks that are not the best, so that none stays behind for ever (Rupprecht et al., arXiv:1612.00197)."""

SPOT = 2.0
"""Spread of a click where it is drawn, in pixels at a quarter of the picture's size."""

NO_CLICK = -1
"""Label of a place for a click that is not used."""


class _Features(NamedTuple):
    """What is seen on pictures, by its stride, (N, C, H / stride, W / stride)."""

    stride16: Tensor
    stride8: Tensor
    stride4: Tensor


class Sam(Network):
    """Three masks for what was clicked on, a thing and its parts, and how good each of them is thought to be."""

    task: ClassVar[Task] = "promptable"
    inputs: ClassVar[tuple[str, ...]] = ("picture", "points", "labels")
    outputs: ClassVar[tuple[str, ...]] = ("mask_logits", "iou")

    def __init__(self, model: Sam2Model, clicks: int, hint: float) -> None:
        super().__init__()
        self.model = model
        self.clicks = clicks
        self.hint = nn.Parameter(torch.full((1, 1, 1, 1), hint))
        for unused in (model.mask_decoder.pred_obj_score_head, model.mask_decoder.output_hypernetworks_mlps[0]):
            unused.requires_grad_(requires_grad=False)

    def forward(self, picture: Tensor, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Take points (N, P, 2) float32, x and y in pixels, labels (N, P) int32: 1 on it, 0 off it, -1 no click."""
        return self.answer(self.encode(picture), points, labels)

    def encode(self, picture: Tensor) -> _Features:
        """See all that clicks need."""
        fine, middle, coarse = self.model.vision_encoder(picture).fpn_hidden_states
        decoder = self.model.mask_decoder
        coarse = coarse + self.model.no_memory_embedding.view(1, -1, 1, 1)
        return _Features(coarse, decoder.conv_s1(middle), decoder.conv_s0(fine))

    def answer(self, features: _Features, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Give mask logits (N, 3, H / 4, W / 4) and their IoU (N, 3) for what was clicked on in each picture."""
        coarse, middle, fine = features
        height, width = coarse.shape[2:]
        prompts = self.model.prompt_encoder
        # The library divides both axes by one side: give it points of a square picture, pixel centres at half numbers.
        side = prompts.input_image_size / STRIDE
        scale = torch.tensor([side / width, side / height], device=coarse.device)
        sparse, _ = prompts(((points + 0.5) * scale - 0.5)[:, None], labels[:, None], None, None)
        hints = prompts.mask_embed(_spots(points, labels, 4 * height, 4 * width))
        masks, iou, _, _ = self.model.mask_decoder(
            image_embeddings=coarse,
            image_positional_embeddings=self._places(height, width).expand(len(coarse), -1, -1, -1),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=prompts.no_mask_embed.weight.view(1, -1, 1, 1) + self.hint * hints,
            multimask_output=True,
            high_resolution_features=[fine, middle],
        )
        return masks[:, 0], iou[:, 0]

    def _places(self, height: int, width: int) -> Tensor:
        """Encode the centre of every cell, as clicks are encoded."""
        rows, columns = _centres(height, width, self.hint.device)
        grid = torch.stack([(columns / width).expand(height, -1), (rows / height).expand(-1, width)], dim=-1)
        places: Tensor = self.model.prompt_encoder.shared_embedding(grid).permute(2, 0, 1)[None]
        return places

    def example(self, height: int, width: int) -> tuple[Tensor, ...]:
        points = torch.tensor([[[width / 2, height / 2]]]).repeat(1, self.clicks, 1)
        labels = torch.full((1, self.clicks), NO_CLICK, dtype=torch.int32)
        labels[0, 0] = 1
        return torch.zeros(1, 3, height, width), points, labels

    def parts(self, height: int, width: int) -> dict[str, Part]:
        picture, *clicks = self.example(height, width)
        with torch.no_grad():
            features = self.encode(picture)
        names = features._fields
        return {
            "encoder": Part(_Encoder(self), (picture,), self.inputs[:1], names),
            "decoder": Part(_Decoder(self), (*features, *clicks), (*names, *self.inputs[1:]), self.outputs),
        }

    def training_loss(self, batch: Batch, criterion: Criterion) -> Tensor:  # noqa: ARG002 # masks have losses of their own
        """Click on objects as a person would: first anywhere inside, then where the mask is wrong.

        After Segment Anything, arXiv:2304.02643, appendix A; pictures without an object teach nothing.
        """
        features = self.encode(batch.pictures)
        drawn = [_draw_objects(*planes) for planes in zip(batch.classes, batch.objects, strict=True)]
        shown = torch.tensor([index for index, truth in enumerate(drawn) for _ in truth], dtype=torch.long)
        if not len(shown):
            return 0.0 * features.stride16.sum()
        shown = shown.to(batch.pictures.device)
        known = batch.classes[shown] != IGNORE
        return self._rounds(_Features(*(level[shown] for level in features)), torch.cat(drawn), known)

    def _rounds(self, features: _Features, truth: Tensor, known: Tensor) -> Tensor:
        """Click, answer, click again; `truth` and `known` are (N, H, W) bool."""
        n, height, width = truth.shape
        points = torch.zeros(n, self.clicks, 2, device=truth.device)
        labels = torch.full((n, self.clicks), NO_CLICK, dtype=torch.int32, device=truth.device)
        where, losses = truth, []
        for place in range(min(ROUNDS, self.clicks)):
            at = torch.multinomial(where.flatten(1).float(), 1)
            points, labels = points.clone(), labels.clone()  # those of before are still needed for the gradient
            points[:, place] = torch.cat([at % width, at // width], dim=1).float()
            labels[:, place] = truth.flatten(1).gather(1, at)[:, 0].int()
            logits, iou = self.answer(features, points, labels)
            with torch.autocast(truth.device.type, enabled=False):
                losses.append(_loss(logits.float(), iou.float(), truth, known))
            best = logits.detach()[torch.arange(n), iou.detach().argmax(dim=1)]
            answer = functional.interpolate(best[:, None].float(), (height, width))[:, 0] > 0
            wrong = (answer != truth) & known
            where = torch.where(wrong.flatten(1).any(dim=1)[:, None, None], wrong, truth)
        return torch.stack(losses).mean()

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> Seen:
        """Give the mask that is thought best as one object of class 1: what was clicked on, whatever it is."""
        logits, iou = (output[0] for output in outputs)
        best = int(iou.argmax())
        mask = logits[best] > 0
        objects = (SeenObject(1, float(iou[best]), mask),) if mask.any() else ()
        return Seen(mask.astype(np.uint8), objects)


class _Encoder(nn.Module):
    """What runs once a picture."""

    def __init__(self, net: Sam) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.net.encode(picture))


class _Decoder(nn.Module):
    """What runs once a click."""

    def __init__(self, net: Sam) -> None:
        super().__init__()
        self.net = net

    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor]:
        *features, points, labels = given
        return self.net.answer(_Features(*features), points, labels)


def _centres(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Give the places of cells' centres, (height, 1) and (width,), in cells."""
    return torch.arange(height, device=device)[:, None] + 0.5, torch.arange(width, device=device) + 0.5


def _spots(points: Tensor, labels: Tensor, height: int, width: int) -> Tensor:
    """Draw clicks at a quarter of the picture's size, (N, 1, height, width): 1 on the object, -1 beside it."""
    rows, columns = _centres(height, width, points.device)
    x, y = ((points[..., axis, None, None] + 0.5) / 4 for axis in (0, 1))
    bump = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * SPOT**2))
    sign = torch.where(labels == NO_CLICK, 0, 2 * labels - 1)
    return (bump * sign[..., None, None]).sum(dim=1, keepdim=True)


def _draw_objects(classes: Tensor, objects: Tensor) -> Tensor:
    """Draw some objects, (OBJECTS, H, W) bool, one more than once where there are fewer; none where there is none."""
    found = objects_of(classes, objects)
    count = len(found.numbers)
    order = torch.randperm(count, device=classes.device).repeat(OBJECTS)[:OBJECTS]
    return found.plane == found.numbers[order].view(-1, 1, 1)


def _loss(logits: Tensor, iou: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Compare the best of the three masks (N, 3, h, w) with the truth, and their predicted IoU with the real one."""
    size = (logits.shape[2], logits.shape[3])
    share, weight = (functional.adaptive_avg_pool2d(plane.float()[:, None], size) for plane in (truth & known, known))
    target = share / weight.clamp(min=1e-6)
    p = logits.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    focal = (weight * (p - target) ** 2 * entropy).mean(dim=(2, 3))
    dice = 1 - (2 * (weight * p * target).sum(dim=(2, 3)) + 1) / ((weight * (p + target)).sum(dim=(2, 3)) + 1)
    with torch.no_grad():
        drawn = (logits > 0) * weight
        both, either = drawn * target, drawn + weight * target - drawn * target
        real = both.sum(dim=(2, 3)) / either.sum(dim=(2, 3)).clamp(min=1e-6)
    wrong = FOCAL_WEIGHT * focal + dice
    return wrong.amin(dim=1).mean() + OTHERS_WEIGHT * wrong.mean() + (iou - real).abs().mean()


def build(classes: int, width: float = 1.0, depth: float = 7, clicks: float = 8, weights: str = "") -> Network:
    """Build a SAM 2 for single pictures.

    Args:
        classes: of the data; the network itself knows only what is clicked on and what is not.
        width: scales the channels; the decoder has at most the published 256.
        depth: Hiera blocks in the third stage.
        clicks: how many there can be on one object.
        weights: where training starts, a folder or a name on the hub; empty for chance.

    Raises:
        ModelError: the extra `transformers` is absent, or the weights can't be used.
        ValueError: an option is out of its range.
    """
    del classes
    blocks = whole("depth", depth, 1, 48)
    sizes = [8 * max(1, round(12 * width)) * 2**stage for stage in range(4)]
    channels = 32 * min(8, max(1, round(8 * width)))
    spread = (3 * channels) ** -0.5  # of torch's own linear layers; the library's is for wide ones
    last = 2 + blocks
    backbone = Sam2HieraDetConfig(
        hidden_size=sizes[0],
        embed_dim_per_stage=sizes,
        blocks_per_stage=[1, 2, blocks, 2],
        # Not the first of the stage, which looks at windows while it halves the picture.
        global_attention_blocks=sorted({last - step * ((blocks - 1) // 3) for step in range(3)} - {3}),
    )
    config = Sam2Config(
        vision_config=Sam2VisionConfig(
            backbone_config=backbone,
            backbone_channel_list=sizes[::-1],
            fpn_hidden_size=channels,
            initializer_range=spread,
        ),
        prompt_encoder_config=Sam2PromptEncoderConfig(hidden_size=channels),
        mask_decoder_config=Sam2MaskDecoderConfig(
            hidden_size=channels, mlp_dim=8 * channels, iou_head_hidden_dim=channels
        ),
        initializer_range=spread,
    )
    return Sam(start(Sam2Model, config, weights), whole("clicks", clicks, 1, 64), hint=0.0 if weights else 1.0)
