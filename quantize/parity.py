"""Parity: float against INT8, both run from the bundle as a device would run them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from edge import runtimes
from edge.segment import open_reference, open_segmenter
from models.metrics import Confusion, Counts, Floats, iou, mean_of_classes
from models.metrics.blobs import FOUND, MISSED, found_share, least_object_px
from models.metrics.resamples import MIN_GROUPS, Resamples, interval
from models.turns import in_turns
from quantize.evaluate import class_specs, read_sample
from quantize.figures import Agreement, Drop, Parity
from quantize.score import PictureScore, focus_iou, quality, score_picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.bundle import Bundle
    from edge.manifest import TargetInfo
    from edge.mask import Mask, Plane
    from edge.picture import Picture
    from models.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureParity:
    """Float and INT8 on one picture."""

    sample: Sample
    float_: PictureScore
    int8: PictureScore
    between: Counts  # (classes, classes) pixels, float by row, INT8 by column


def compare(
    bundle: Bundle, targets: Mapping[str, TargetInfo], samples: Sequence[Sample], threads: int = 0
) -> dict[str, list[PictureParity]]:
    """Run float and the INT8 form of each target over `samples` and score all of them at frame resolution.

    Args:
        bundle: verified.
        targets: what stands in here for each of its targets, by name.
        samples: pictures with their truth.
        threads: of the runtimes; 0 leaves the number to them.

    Raises:
        BundleError, ModelError: the bundle can't be run here.
        DatasetError: a sample can't be used.
    """
    classes = class_specs(bundle.manifest)
    results: dict[str, list[PictureParity]] = {target: [] for target in targets}
    with ExitStack() as stack:
        reference = stack.enter_context(open_reference(bundle, threads))
        small = {
            target: stack.enter_context(open_segmenter(bundle, target, threads, stand_in=info))
            for target, info in targets.items()
        }
        for sample in tqdm(samples, desc="float against INT8", unit="picture", disable=None, leave=False):
            picture, truth = read_sample(sample, classes)
            float_ = seen(reference(picture), sample, truth, len(classes))
            for target, segmenter in small.items():
                results[target].append(beside(float_, segmenter(picture), len(classes)))
    return results


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What float makes of one picture."""

    sample: Sample
    truth: Plane  # class map, (H, W) uint8, in frame pixels
    found: Plane  # likewise
    score: PictureScore


def seen(mask: Mask, sample: Sample, truth: Plane, classes: int) -> Seen:
    """Score what float makes of a picture."""
    found = mask.on_frame()
    return Seen(sample=sample, truth=truth, found=found, score=score_picture(found, truth, classes))


def beside(float_: Seen, mask: Mask, classes: int) -> PictureParity:
    """Score what INT8 makes of the same picture."""
    int8, between = mask.on_frame(), Confusion(classes)
    between.add(int8, float_.found)
    scored = score_picture(int8, float_.truth, classes)
    return PictureParity(sample=float_.sample, float_=float_.score, int8=scored, between=between.counts)


def summarise(pictures: Sequence[PictureParity], names: Sequence[str], focus: int) -> Parity:
    """Put the pictures together."""
    groups = [p.sample.group for p in pictures]
    float_ = quality([p.float_ for p in pictures], groups, names, focus)
    int8 = quality([p.int8 for p in pictures], groups, names, focus)
    draws, between = Resamples(groups), [p.between for p in pictures]
    iou_drop, mean_iou_drop = _iou_drop(pictures, draws, names)
    return Parity(
        float_=float_,
        int8=int8,
        drop_points={n: 100 * ((float_.iou[n] or 0.0) - (int8.iou[n] or 0.0)) for n in names},
        iou_drop=iou_drop,
        mean_iou_drop=mean_iou_drop,
        recall_drop=_recall_drop(pictures, draws, names),
        agreement=agreement(between, focus),
        foreground=foreground(between),
    )


def _iou_drop(
    pictures: Sequence[PictureParity], draws: Resamples, names: Sequence[str]
) -> tuple[dict[str, Drop], Drop]:
    """Give the drop of each class that the truth has, and of their mean."""
    float_, int8 = np.stack([p.float_.counts for p in pictures]), np.stack([p.int8.counts for p in pictures])
    there = float_.sum(axis=2) > 0  # in the truth, (pictures, classes)
    whole, whole_mean = _iou_lost(float_.sum(axis=0), int8.sum(axis=0))
    lost, lost_mean = _iou_lost(draws.sums(float_), draws.sums(int8))
    by_class = {names[place]: _drop(whole[place], lost[:, place], groups) for place, groups in _groups(draws, there)}
    return by_class, _drop(whole_mean, lost_mean, draws.groups_with(there.any(axis=1)))


def _iou_lost(float_: Floats, int8: Floats) -> tuple[Floats, Floats]:
    """Give what each class loses (..., classes) and the mean (...) over those in the truth, which stands by row."""
    lost = iou(float_) - iou(int8)
    there = float_.sum(axis=-1) > 0  # of other classes, pixels seen by chance would decide
    return lost, mean_of_classes(np.where(there, lost, np.nan))


def _recall_drop(pictures: Sequence[PictureParity], draws: Resamples, names: Sequence[str]) -> dict[str, Drop]:
    float_, int8 = (np.stack([p.float_.blobs for p in pictures]), np.stack([p.int8.blobs for p in pictures]))
    there = float_[:, :, (FOUND, MISSED)].sum(axis=(2, 3)) > 0  # (pictures, classes)
    lost = found_share(draws.sums(float_)) - found_share(draws.sums(int8))
    whole = found_share(float_.sum(axis=0)) - found_share(int8.sum(axis=0))
    return {names[place]: _drop(whole[place], lost[:, place], groups) for place, groups in _groups(draws, there)}


def _groups(draws: Resamples, there: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Give the classes that any picture has, by `there` (pictures, classes), and how many groups have each."""
    for place in np.flatnonzero(there.any(axis=0)).tolist():
        yield place, draws.groups_with(there[:, place])


def _drop(whole: Floats, lost: Floats, groups: int) -> Drop:
    """Put a drop beside its draws, of so many groups."""
    bounds = interval(lost) if groups >= MIN_GROUPS else None
    return Drop(points=100 * float(whole), interval=bounds and (100 * bounds[0], 100 * bounds[1]))


def foreground(between: Sequence[Counts]) -> Agreement:
    """Compare the masks of all classes but the first, taken for one; the rest is as in `agreement`."""
    two = [[[c[0, 0], c[0, 1:].sum()], [c[1:, 0].sum(), c[1:, 1:].sum()]] for c in between]
    return agreement([np.array(counts) for counts in two], 1)


def agreement(between: Sequence[Counts], focus: int) -> Agreement:
    """Compare INT8 masks with float masks, given pixel counts with float by row; 1.0 where float sees nothing."""
    least = [least_object_px(int(c.sum())) for c in between]
    seen = [c for c, px in zip(between, least, strict=True) if c[focus].sum() >= px]
    ious = [focus_iou(c, focus) for c in seen] or [1.0]
    pooled = focus_iou(np.sum(between, axis=0), focus)
    return Agreement(
        pictures=len(seen),
        mean=float(np.mean(ious)),
        p10=float(np.percentile(ious, 10)),
        worst=float(np.min(ious)),
        pooled=1.0 if np.isnan(pooled) else pooled,
        appeared=sum(bool(c[focus].sum() < px <= c[:, focus].sum()) for c, px in zip(between, least, strict=True)),
        pixels=float(sum(np.trace(c) for c in between) / sum(c.sum() for c in between)),
    )


def median_times(runtime: str, files: Sequence[Path], picture: Picture, *, threads: int = 1) -> list[float]:
    """Give the median seconds that each file takes for one prepared picture; all take turns.

    Pre- and post-processing are inside.

    Raises:
        ModelError: the runtime can't run one of them.
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(runtimes.create(runtime, file, threads=threads)) for file in files]
        return in_turns([partial(network.infer, picture) for network in opened])
