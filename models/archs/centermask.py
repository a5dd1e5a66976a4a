"""CenterMask: an instance network of the Mask R-CNN family, with centres in place of anchors and no suppression step.

Lee and Park, "CenterMask: Real-Time Anchor-Free Instance Segmentation" (arXiv:1911.06667), in small: proposals are
peaks of a heatmap of centres (Zhou et al., "Objects as Points", arXiv:1904.07850), trained with Gaussians for both
heat and boxes (Liu et al., "Training-Time-Friendly Network", arXiv:1909.00700); every box is cut out of the features
and gets a mask under spatial attention. Shapes are static: always `proposals` objects, most of them with a low score.

Three classes at 256x256: 0.41 M parameters, 1.21 GFLOP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.annotation import IGNORE
from models.archs import Batch, Network, Seen, SeenObject, Task
from models.boxes import agreement, crop
from models.layers import InvertedResidual, channels, conv, stage
from models.library import whole
from models.objects import Objects, objects_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.archs import Criterion

STRIDE = 4
"""Pixels of the picture along each side of a place on the maps."""

REACH = 1 / 16
"""Share of the picture in which the network counts how far a box reaches."""

MASK_SIDE = 28
"""Of an object's mask; its features are half as large (Mask R-CNN, arXiv:1703.06870)."""

MIN_SCORE = 0.3
"""Objects below are not shown; CenterNet's own threshold for display."""

COVERED = 0.5
"""Share of an object under better ones from which on it is one of them, seen twice."""

BOX_WEIGHT = 5.0  # Training-Time-Friendly Network


class _Maps(NamedTuple):
    """What is known of every place before objects are picked."""

    features: Tensor  # (N, C, h, w)
    heat: Tensor  # (N, classes - 1, h, w) logits
    boxes: Tensor  # (N, 4, h, w) of the object whose centre is here


class _MaskHead(nn.Module):
    """Features cut out of boxes to mask logits, through attention to places."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # Without batch normalisation, as in Mask R-CNN: a batch may hold no object at all.
        self.look = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU6(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU6()
        )
        self.attend = nn.Conv2d(2, 1, 3, padding=1)
        self.draw = nn.Sequential(nn.ConvTranspose2d(width, width, 2, 2), nn.ReLU6(), nn.Conv2d(width, 1, 1))

    def forward(self, cut: Tensor) -> Tensor:
        x = self.look(functional.avg_pool2d(cut, 2))
        places = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        logits: Tensor = self.draw(x * self.attend(places).sigmoid())
        return logits


class CenterMask(Network):
    """Mobile encoder, feature pyramid to 1/4 of the input, heads for centres, boxes and masks."""

    task: ClassVar[Task] = "instance"
    outputs: ClassVar[tuple[str, ...]] = ("scores", "labels", "boxes", "masks", "size")

    def __init__(self, classes: int, width: float, proposals: int) -> None:
        super().__init__()
        c1, c2, c3, c4, c5, c = (channels(base, width) for base in (16, 24, 40, 64, 96, 48))
        self.proposals = proposals
        self.stages = nn.ModuleList(
            [
                nn.Sequential(conv(3, c1, 3, stride=2), InvertedResidual(c1, c2, stride=2, expand=2, fused=True)),
                stage(c2, c3, 3),
                stage(c3, c4, 4),
                stage(c4, c5, 3),
            ]
        )
        self.lateral = nn.ModuleList(conv(cin, c, 1, act=False) for cin in (c2, c3, c4, c5))
        self.smooth = conv(c, c, 3)
        centre = nn.Conv2d(c, classes - 1, 1)
        nn.init.constant_(centre.get_parameter("bias"), -2.19)  # a centre is rare: 0.1 to begin with
        self.heat = nn.Sequential(conv(c, c, 3), centre)
        self.reach = nn.Sequential(conv(c, c, 3), nn.Conv2d(c, 4, 1))
        self.mask = _MaskHead(c)
        self.classes = nn.Conv2d(c, classes, 1)  # teaches the features; not part of what is exported

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Give scores (N, K), labels (N, K), boxes (N, K, 4), masks (N, K, 28, 28), the picture's size (N, 2).

        Boxes are x0, y0, x1, y1 as shares of the picture; masks fill their boxes, 0 to 1; the size is height, width.
        """
        n, _, height, width = x.shape
        maps = self._maps(x)
        best, label = maps.heat.sigmoid().max(dim=1, keepdim=True)
        peak = best == functional.max_pool2d(best, 3, 1, 1)
        # What is no peak ranks below every peak, and still in an order that all runtimes agree on.
        scores, at = torch.where(peak, best, best - 1).flatten(1).topk(self.proposals)
        boxes = maps.boxes.flatten(2).gather(2, at[:, None].expand(-1, 4, -1)).transpose(1, 2)
        masks = self.mask(crop(maps.features, boxes, MASK_SIDE)).sigmoid()
        return (
            scores.clamp(min=0),
            label.flatten(1).gather(1, at).float() + 1,
            boxes,
            masks.view(n, self.proposals, MASK_SIDE, MASK_SIDE),
            x.new_tensor([height, width]).expand(n, -1),
        )

    def _maps(self, x: Tensor) -> _Maps:
        levels = []
        for encode in self.stages:
            x = encode(x)
            levels.append(x)
        merged = self.lateral[-1](levels[-1])
        for lateral, level in reversed(list(zip(self.lateral, levels, strict=True))[:-1]):
            merged = functional.interpolate(merged, scale_factor=2.0, mode="nearest") + lateral(level)
        features = self.smooth(merged)
        reach = functional.softplus(self.reach(features)) * REACH
        return _Maps(features, self.heat(features), _boxes(reach))

    def training_loss(self, batch: Batch, criterion: Criterion) -> Tensor:
        """Add up heat, boxes and masks, and `criterion` on class logits that serve training only (arXiv:1904.02689)."""
        maps = self._maps(batch.pictures)
        truths = [objects_of(*planes) for planes in zip(batch.classes, batch.objects, strict=True)]
        targets = [_target(truth, *maps.heat.shape[1:]) for truth in truths]
        loss = criterion(self.classes(maps.features), batch.classes)
        known = batch.classes[:, None, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE] != IGNORE
        loss = loss + _heat_loss(maps.heat.float(), torch.stack([target.heat for target in targets]), known)
        count = max(1, sum(len(truth.numbers) for truth in truths))
        for index, target in enumerate(targets):
            giou = agreement(maps.boxes[index].permute(1, 2, 0).float(), target.boxes).giou
            loss = loss + BOX_WEIGHT / count * (target.weight * (1 - giou)).sum()
        return loss + self._mask_loss(maps, batch, truths) / count

    def _mask_loss(self, maps: _Maps, batch: Batch, truths: Sequence[Objects]) -> Tensor:
        cuts, wanted, known = [], [], []
        for index, truth in enumerate(truths):
            x, y = _centres(truth, *maps.boxes.shape[2:])
            found = maps.boxes[index, :, y, x].detach().float().T
            good = agreement(found, truth.boxes).iou > 0.5  # until boxes are learned, masks are learned in true ones
            boxes = torch.where(good[:, None], found, truth.boxes)[None]
            cuts.append(crop(maps.features[index : index + 1], boxes, MASK_SIDE))
            planes = torch.stack([truth.plane, batch.classes[index]])[None]
            sampled = crop(planes, boxes, 2 * MASK_SIDE, "nearest")
            wanted.append(sampled[:, :1] == truth.numbers.view(-1, 1, 1, 1))
            known.append(sampled[:, 1:] != IGNORE)
        logits = self.mask(torch.cat(cuts)).float()
        share, weight = (functional.avg_pool2d(torch.cat(each).float(), 2) for each in (wanted, known))
        entropy = functional.binary_cross_entropy_with_logits(logits, share, weight, reduction="none")
        p = logits.sigmoid() * weight
        dice = 1 - (2 * (p * share).sum(dim=(1, 2, 3)) + 1) / ((p + share).sum(dim=(1, 2, 3)) + 1)
        loss: Tensor = entropy.mean(dim=(1, 2, 3)).sum() + dice.sum()
        return loss

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> Seen:
        """Paint the objects at the picture's size, better ones over worse ones; those seen twice are dropped."""
        scores, labels, boxes, masks, size = (output[0] for output in outputs)
        height, width = (int(v) for v in size)
        classes = np.zeros((height, width), np.uint8)
        seen = []
        for index in np.argsort(-scores, kind="stable"):
            if scores[index] < MIN_SCORE:
                break
            mask = _paste(masks[index], boxes[index], height, width)
            fresh = mask & (classes == 0)
            if fresh.sum() <= (1 - COVERED) * mask.sum():
                continue
            classes[fresh] = int(labels[index])
            seen.append(SeenObject(int(labels[index]), float(scores[index]), mask))
        return Seen(classes, tuple(seen))


class _Target(NamedTuple):
    """What the maps of one picture should be."""

    heat: Tensor  # (classes - 1, h, w), 1 at centres
    boxes: Tensor  # (h, w, 4)
    weight: Tensor  # (h, w), of the boxes; 1 in sum over each object


def _target(truth: Objects, classes: int, height: int, width: int) -> _Target:
    """Lay a Gaussian over every object, as wide and as high as the object is."""
    heat = truth.boxes.new_zeros(classes, height, width)
    if not len(truth.numbers):
        return _Target(heat, heat.new_zeros(height, width, 4), heat.new_zeros(height, width))
    rows, columns = (torch.arange(count, device=heat.device) for count in (height, width))
    x, y = _centres(truth, height, width)
    wide, high = (0.54 / 6 * (truth.boxes[:, 2:] - truth.boxes[:, :2])).unbind(1)
    across = _hills(columns, x, wide * width)
    down = _hills(rows, y, high * height)
    hills = down[:, :, None] * across[:, None, :]
    for label in set(truth.labels.tolist()):
        heat[label - 1] = hills[truth.labels == label].amax(dim=0)
    weight, owner = hills.max(dim=0)
    weight = weight * (weight > 0.1)
    total = weight.new_zeros(len(hills)).index_add(0, owner.flatten(), weight.flatten())
    return _Target(heat, truth.boxes[owner], weight / total[owner].clamp(min=1e-6))


def _heat_loss(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Compute the focal loss of heatmaps (Law and Deng, CornerNet, arXiv:1808.01244), per centre."""
    p = logits.sigmoid()
    centre = (target == 1) & known
    missed = (1 - p) ** 2 * functional.logsigmoid(logits)
    invented = (1 - target) ** 4 * p**2 * functional.logsigmoid(-logits)
    return -torch.where(centre, missed, invented * known).sum() / centre.sum().clamp(min=1)


def _hills(places: Tensor, centres: Tensor, spreads: Tensor) -> Tensor:
    """Give a Gaussian over (p,) places for each of n centres, (n, p)."""
    away = (places - centres[:, None]) / spreads[:, None].clamp(min=0.3)
    return torch.exp(-(away**2) / 2)


def _centres(truth: Objects, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Give column and row of the place where each object has its centre."""
    x, y = (truth.boxes[:, :2] + truth.boxes[:, 2:]).unbind(1)
    return (x / 2 * width).long(), (y / 2 * height).long()


def _boxes(reach: Tensor) -> Tensor:
    """Turn (N, 4, h, w) distances to the left, up, right and down into boxes inside the picture."""
    height, width = reach.shape[2:]
    x = (torch.arange(width, device=reach.device) + 0.5) / width
    y = (torch.arange(height, device=reach.device)[:, None] + 0.5) / height
    left, up, right, down = reach.unbind(1)
    return torch.stack([x - left, y - up, x + right, y + down], dim=1).clamp(0, 1)


def _paste(mask: NDArray[np.float32], box: NDArray[np.float32], height: int, width: int) -> NDArray[np.bool_]:
    """Draw a mask that fills `box` into a picture of that size."""
    x0, y0, x1, y1 = (float(v) for v in box * (width, height, width, height))
    sx, sy = max(x1 - x0, 1) / mask.shape[1], max(y1 - y0, 1) / mask.shape[0]
    matrix = np.array([[sx, 0, x0 + sx / 2 - 0.5], [0, sy, y0 + sy / 2 - 0.5]])
    return np.asarray(cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_LINEAR) > 0.5)


def build(classes: int, width: float = 1.0, proposals: float = 24) -> Network:
    """Build a CenterMask that sees up to `proposals` objects; `width` scales every channel count.

    Raises:
        ValueError: `proposals` is not a whole number from 1 to 64, the places on a picture of 32x32.
    """
    return CenterMask(classes, width, whole("proposals", proposals, 1, 64))
