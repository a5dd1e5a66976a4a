"""What every architecture must do: learn with every weight, and see on any runtime what it sees in torch."""

from __future__ import annotations

import copy
import functools
import importlib
import io
import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from models import archs
from models.annotation import IGNORE
from models.archs import Batch, Network, Seen
from models.export import to_onnx
from models.losses import SegmentationLoss
from models.recipe import LossSpec

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray
    from torch import Tensor

HEIGHT, WIDTH, CLASSES = 64, 96, 3

SMALL: dict[str, dict[str, float | str]] = {
    "mask2former": {"width": 0.1, "depth": 1, "encoder_layers": 1, "decoder_layers": 2, "queries": 8},
    "sam": {"width": 0.2, "depth": 1, "clicks": 2},
}
"""Options of architectures whose own size is none for a test; the others are made at half their width."""

STEPS = {"deeplabv3plus": 80}
"""Steps until the four pictures are known by heart, where they are not `FEW`."""

FEW = 40

each_arch = pytest.mark.parametrize("name", archs.NAMES)


pytestmark = pytest.mark.usefixtures("one_thread")


def build(name: str) -> Network:
    torch.manual_seed(0)
    return archs.build(name, CLASSES, **SMALL.get(name, {"width": 0.5}))


def criterion() -> SegmentationLoss:
    return SegmentationLoss(torch.ones(CLASSES), LossSpec())


@functools.cache
def scene() -> Batch:
    """Four noisy pictures, a red disc about the middle of each and a bright square beside it."""
    rng = np.random.default_rng(0)
    pictures = rng.normal(0, 0.1, (4, HEIGHT, WIDTH, 3)).astype(np.float32)
    objects = np.zeros((4, HEIGHT, WIDTH), np.int32)
    for picture, plane, x in zip(pictures, objects, (40, 45, 50, 55), strict=True):
        cv2.circle(plane, (x, 32), 14, 1, -1)
        left = (x + 40) % WIDTH - 8
        cv2.rectangle(plane, (left, 20), (left + 18, 40), 2, -1)
        picture[plane == 1] += (2, -1, -1)
        picture[plane == 2] += (1, 2, 2)
    return Batch(
        torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(),
        torch.from_numpy(objects.astype(np.uint8)),
        torch.from_numpy(objects),
    )


def inputs(net: Network, pictures: Tensor) -> tuple[Tensor, ...]:
    """Put pictures in place of the example's one, and as many of whatever else it takes."""
    _, *others = net.example(*pictures.shape[2:])
    return (pictures, *(torch.cat([other] * len(pictures)) for other in others))


@torch.no_grad()
def look(net: Network, pictures: Tensor) -> list[Tensor]:
    found = net.eval()(*inputs(net, pictures))
    return [found] if isinstance(found, torch.Tensor) else list(found)


@functools.cache
def trained(name: str) -> tuple[Network, list[float]]:
    net = build(name)
    optimiser = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], 3e-3)
    steps = STEPS.get(name, FEW)
    losses = []
    for _ in range(steps):
        loss = net.training_loss(scene(), criterion())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        losses.append(loss.item())
    return net.eval(), losses


@functools.cache
def exported(name: str) -> dict[str, onnx.ModelProto]:
    net = copy.deepcopy(trained(name)[0])
    return {part: to_onnx(what) for part, what in net.parts(HEIGHT, WIDTH).items()}


def run_exported(name: str, given: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Run the files one after another, each on what stands under its inputs' names."""
    net, known = trained(name)[0], dict(given)
    for model in exported(name).values():
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_outputs()]
        found = session.run(names, {value.name: known[value.name] for value in session.get_inputs()})
        known.update(zip(names, found, strict=True))
    return [known[output] for output in net.outputs]


@each_arch
def test_the_outputs_are_those_that_are_named_for_every_picture(name: str) -> None:
    net = build(name)
    found = look(net, torch.randn(2, 3, HEIGHT, WIDTH))
    assert len(found) == len(net.outputs)
    assert all(len(output) == 2 and output.isfinite().all() for output in found)
    wide = look(net, torch.randn(1, 3, HEIGHT, 2 * WIDTH))
    if net.task == "semantic":
        assert found[0].shape[1] == wide[0].shape[1] == CLASSES
        assert found[0].shape[2] * WIDTH == found[0].shape[3] * HEIGHT
        assert wide[0].shape[2] * 2 * WIDTH == wide[0].shape[3] * HEIGHT


@each_arch
def test_pictures_of_one_batch_do_not_know_of_each_other(name: str) -> None:
    net = trained(name)[0]
    together = look(net, scene().pictures[:2])
    alone = look(net, scene().pictures[1:2])
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one[1:], other, atol=1e-3, rtol=1e-3)


@each_arch
def test_every_weight_learns(name: str) -> None:
    net = copy.deepcopy(trained(name)[0]).train()  # some begin at zero, and hold others back for one step
    net.zero_grad()
    net.training_loss(scene(), criterion()).backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    learning = {name: p for name, p in net.named_parameters() if p.requires_grad}
    assert learning
    assert [name for name, p in learning.items() if p.grad is None] == []
    # Some biases cancel out, as those of keys do in attention.
    idle = [name for name, p in learning.items() if p.ndim > 1 and p.grad is not None and not p.grad.any()]
    assert idle == []


@each_arch
def test_a_few_steps_lower_the_loss(name: str) -> None:
    losses = trained(name)[1]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


@each_arch
@pytest.mark.parametrize("known", [0, IGNORE], ids=["nothing-marked", "nothing-known"])
def test_a_batch_of_one_picture_without_objects_has_a_loss(name: str, known: int) -> None:
    plane = torch.full((1, HEIGHT, WIDTH), known, dtype=torch.uint8)
    net = build(name)
    loss = net.training_loss(Batch(scene().pictures[:1], plane, torch.zeros_like(plane).int()), criterion())
    loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


@each_arch
def test_it_learns_from_classes_where_no_objects_are_numbered(name: str) -> None:
    classes = scene().classes
    loss = build(name).training_loss(Batch(scene().pictures, classes, torch.zeros_like(classes).int()), criterion())
    numbered = build(name).training_loss(scene(), criterion())
    torch.testing.assert_close(loss, numbered)  # the scene's objects are its blobs


@each_arch
def test_it_learns_in_half_precision(name: str) -> None:
    net = build(name)
    with torch.autocast("cpu", torch.bfloat16):
        loss = net.training_loss(scene(), criterion())
    loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    assert loss.isfinite()


@pytest.mark.parametrize("name", [name for name in archs.NAMES if name != "sam"])  # which waits for clicks
def test_it_sees_what_it_has_learned(name: str) -> None:
    net = trained(name)[0]
    seen = net.decode([output[:1].numpy() for output in look(net, scene().pictures)])
    assert seen.classes.dtype == np.uint8
    assert seen.classes.shape[0] * WIDTH == seen.classes.shape[1] * HEIGHT
    assert [o.score for o in seen.objects] == sorted((o.score for o in seen.objects), reverse=True)
    truth = scene().classes[0].numpy()
    step = HEIGHT // seen.classes.shape[0]
    disc, marked = truth[step // 2 :: step, step // 2 :: step] == 1, [seen.classes == 1]
    if net.task != "semantic":
        marked += [o.mask for o in seen.objects if o.class_id == 1][:1]
    assert all((disc & mask).sum() / (disc | mask).sum() > 0.7 for mask in marked)
    assert len(marked) == (1 if net.task == "semantic" else 2)


@each_arch
def test_it_exports_with_static_shapes_and_standard_operators(name: str) -> None:
    net = trained(name)[0]
    for part, model in zip(net.parts(HEIGHT, WIDTH).values(), exported(name).values(), strict=True):
        assert {opset.domain for opset in model.opset_import} <= {"", "ai.onnx"}
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
        assert not model.functions
        assert tuple(value.name for value in model.graph.input) == part.inputs
        assert tuple(value.name for value in model.graph.output) == part.outputs
        for value in (*model.graph.input, *model.graph.output):
            assert all(dim.dim_value > 0 for dim in value.type.tensor_type.shape.dim), value.name
        assert "BatchNormalization" not in {node.op_type for node in model.graph.node}


@each_arch
def test_the_exported_network_sees_the_same(name: str) -> None:
    net = trained(name)[0]
    given = inputs(net, scene().pictures[2:3])
    ours = [output.numpy() for output in look(net, scene().pictures[2:3])]
    theirs = run_exported(name, {name: value.numpy() for name, value in zip(net.inputs, given, strict=True)})
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-3 * max(1, np.abs(one).max()))
    assert_same(net.decode(ours), net.decode(theirs), objects=net.task != "semantic")


def assert_same(one: Seen, other: Seen, *, objects: bool) -> None:
    assert len(np.unique(one.classes)) > 1  # or nothing was compared
    assert len(one.objects) > 0 or not objects
    assert (one.classes == other.classes).mean() >= 0.999
    assert [o.class_id for o in one.objects] == [o.class_id for o in other.objects]
    for ours, theirs in zip(one.objects, other.objects, strict=True):
        assert ours.score == pytest.approx(theirs.score, abs=1e-3)
        assert (ours.mask == theirs.mask).mean() >= 0.999


@each_arch
def test_weights_survive_being_saved(name: str) -> None:
    net = trained(name)[0]
    assert {v.dtype for v in net.state_dict().values() if v.is_floating_point()} == {torch.float32}
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    again = archs.build(name, CLASSES, **SMALL.get(name, {"width": 0.5}))
    again.load_state_dict(torch.load(file, weights_only=True))
    for one, other in zip(look(net, scene().pictures[:1]), look(again, scene().pictures[:1]), strict=True):
        assert torch.equal(one, other)


@each_arch
def test_an_unknown_option_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=rf"architecture '{name}': .*'colour'"):
        archs.build(name, CLASSES, colour="red")


@pytest.mark.parametrize("name", [name for name in archs.NAMES if name not in SMALL])
def test_it_costs_what_it_says(name: str) -> None:
    text = importlib.import_module(f"models.archs.{name}").__doc__ or ""
    said = re.search(r"Three classes at 256x256: ([\d.]+) M parameters, ([\d.]+) GFLOP\.", text)
    assert said
    net = archs.build(name, 3).eval()
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        net(*net.example(256, 256))
    millions = sum(p.numel() for p in net.parameters()) / 1e6
    assert (f"{millions:.2f}", f"{counted.get_total_flops() / 1e9:.2f}") == said.groups()


def test_an_unknown_architecture_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="must be one of loupenet, fcn"):
        archs.build("resnet", 2)
