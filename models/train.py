"""Train a network from a recipe: seeded, validated, the best weights kept; stopped at any moment, it can go on."""

from __future__ import annotations

import contextlib
import csv
import os
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from edge.errors import ConfigError, DatasetError, ModelError, PictureError
from models.checkpoint import Checkpoint, load_plain, save_whole
from models.curves import curves
from models.datasets import open_dataset
from models.interrupt import deaf, interrupts
from models.layout import lay_out
from models.learner import NOT_FINITE, Learner
from models.processes import leads, team
from models.recipe import Recipe
from models.sampling import Plan, draw_shares
from models.temperature import calibrate
from models.training_set import TrainingSet
from models.validation import read_validation, score, score_name, validate
from models.whole_file import whole_file
from models.worst_page import write_worst_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from models.curves import Draw
    from models.datasets import Dataset
    from models.interrupt import Interrupt
    from models.processes import Team
    from models.training_set import Tensors
    from models.validation import View

    Watch = Callable[[int, float], None]
    """Takes an epoch and its score."""

STATE = "state.pt"
"""Where a run that is not complete stands."""

MAX_LOADERS = 8
"""Processes that bend pictures; more wait for each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is told beside its recipe."""

    device: str | None = None  # as torch names it; CUDA where there is one
    resume: bool = False
    start: Path | None = None  # a checkpoint whose fitting weights are taken over
    extra: tuple[Path, ...] = ()  # data sets to learn from, never to validate on
    skip_broken: bool = False
    watch: Watch | None = None  # told each validated epoch and its score; may raise


@dataclass(slots=True)
class _Progress:
    """How far a run is."""

    step: int = 0
    losses: list[float] = field(default_factory=list)  # of the present epoch
    history: list[dict[str, str]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -1.0


def train(recipe: Recipe, root: Path, out: Path, options: Options | None = None) -> Checkpoint:
    """Train on the `train` split of the data set in `root`, choose by its `val` split; `test` is never read.

    Writes `best.pt`, `last.pt`, `history.csv` and `worst.html` into `out`, and `state.pt` until the run is complete.
    In a process that `torchrun` started, the batches are shared with the others, and only the first one writes.

    Raises:
        ConfigError: the options don't go with the recipe or with what lies in `out`.
        DatasetError: the data set can't be used.
        ModelError: a checkpoint can't be read, or the loss is no longer finite.
        KeyboardInterrupt: stopped by SIGINT or SIGTERM; `state.pt` says where.
    """
    options = options or Options()
    out.mkdir(parents=True, exist_ok=True)
    if leads() and not options.resume and (out / STATE).exists():
        raise ConfigError(f"{out}: an unfinished run lies here: go on with --resume, or remove {out / STATE}")
    with interrupts() as interrupt, team(options.device) as here:
        training, validation = _read(recipe, root, options)
        run = _Run(recipe, training, validation, out, here)
        run.begin(options)
        with curves(out / "tensorboard" if recipe.train.tensorboard and run.leads else None) as draw:
            run.go(draw, interrupt, options.watch)
        best = Checkpoint.load(out / "best.pt")
        if run.leads:
            best = calibrate(best, validation)
            best.save(out / "best.pt")
            write_worst_page(best, validation, out / "worst.html")
            (out / STATE).unlink()
        return best


def _read(recipe: Recipe, root: Path, options: Options) -> tuple[TrainingSet, list[View]]:
    """Read what is learned from and what chooses the checkpoint."""
    data = _open(root, options)
    training, validation = data.part("train"), data.part("val")
    held_out = {s.picture.resolve() for s in data.samples if s.split in ("val", "test")}
    for folder in options.extra:
        more = [sample for sample in _open(folder, options).samples if sample.split in (None, "train")]
        shared = [sample.picture for sample in more if sample.picture.resolve() in held_out]
        if shared:
            raise DatasetError(f"{shared[0]}: is held out in {root} and can't be learned from: leave it out of --extra")
        training += more
    return TrainingSet(training, recipe), read_validation(validation, recipe) if leads() else []


def _open(root: Path, options: Options) -> Dataset:
    data = open_dataset(root)
    return data if options.skip_broken else data.sound()


class _Run:
    """One training run, in one of its processes."""

    def __init__(
        self, recipe: Recipe, training: TrainingSet, validation: Sequence[View], out: Path, here: Team
    ) -> None:
        self.leads = here.rank == 0
        self._recipe, self._training, self._validation, self._out, self._here = recipe, training, validation, out, here
        self._plan = Plan(
            shares=draw_shares(training.presence, recipe.sampling.balance),
            seed=recipe.train.seed,
            epochs=recipe.train.epochs,
            batch=recipe.train.batch,
            rank=here.rank,
            processes=here.size,
        )
        self._learner = Learner(recipe, self._plan.steps, here)
        self._progress = _Progress()

    def begin(self, options: Options) -> None:
        """Start anew, from another run's weights, or from where this run was stopped."""
        if options.resume:
            self._resume()
        elif options.start:
            taken = self._learner.start_from(Checkpoint.load(options.start).weights)
            if self.leads:
                tqdm.write(f"{options.start}: {taken} of {len(self._learner.net.state_dict())} weights taken over")
        elif self._recipe.train.quantisation_bits:
            raise ConfigError(
                "train.quantisation_bits: is for networks that are trained: give one with --from CHECKPOINT"
            )
        self._save_state()

    def go(self, draw: Draw, interrupt: Interrupt, watch: Watch | None) -> None:
        """Learn to the end. Raises KeyboardInterrupt where that is wanted before."""
        spec, progress, steps = self._recipe.train, self._progress, self._plan.steps
        total, hidden = steps * spec.epochs, None if self.leads else True
        with _loading(), tqdm(total=total, initial=progress.step, unit="batch", disable=hidden) as bar:
            for batch in self._batches():
                epoch = progress.step // steps + 1
                bar.set_description(f"epoch {epoch}/{spec.epochs}", refresh=False)
                loss, stopping = self._here.mean(self._learn(batch, epoch), float(interrupt.wanted))
                progress.losses.append(loss)
                progress.step += 1
                bar.update()
                if progress.step % steps == 0 and self._end_epoch(epoch, draw, watch):
                    break
                if stopping:
                    self._save_state()
                    raise KeyboardInterrupt

    def _learn(self, batch: Tensors, epoch: int) -> float:
        try:
            return self._learner.learn(batch, self._progress.step)
        except ModelError as error:
            raise ModelError(f"epoch {epoch}: {error}") from error

    def _batches(self) -> DataLoader[Tensors]:
        plan = replace(self._plan, first_step=self._progress.step)
        cores = len(os.sched_getaffinity(0)) // self._here.size
        return DataLoader(
            self._training,
            batch_sampler=plan,
            num_workers=max(1, min(MAX_LOADERS, cores - 1)),
            pin_memory=self._here.device.type == "cuda",
            worker_init_fn=deaf,
        )

    def _end_epoch(self, epoch: int, draw: Draw, watch: Watch | None) -> bool:
        """Validate where it is time; tell whether the run is complete."""
        spec, progress = self._recipe.train, self._progress
        loss = sum(progress.losses) / len(progress.losses)
        progress.losses = []
        if epoch % spec.validate_every and epoch != spec.epochs:
            return False
        stale = False
        if self.leads:
            reached = self._validate(epoch, loss, draw)
            self._save_state()
            if watch:
                watch(epoch, reached)
            stale = spec.early_stop is not None and epoch - progress.best_epoch >= spec.early_stop
        (done,) = self._here.mean(float(stale or epoch == spec.epochs))
        return done > 0

    def _validate(self, epoch: int, loss: float, draw: Draw) -> float:
        """Save the average weights, as the best ones too where they are; give their score."""
        recipe, progress, weights = self._recipe, self._progress, self._learner.weights
        if not all(bool(value.isfinite().all()) for value in weights.values()):
            raise ModelError(f"epoch {epoch}: {NOT_FINITE}")
        net = lay_out(Checkpoint(recipe, weights, epoch, 0.0).network(), torch.channels_last).to(self._here.device)
        ious = validate(net, self._validation, recipe)
        now = Checkpoint(recipe, weights, epoch, score(ious, recipe))
        now.save(self._out / "last.pt")
        if now.score > progress.best_score:
            progress.best_epoch, progress.best_score = epoch, now.score
            now.save(self._out / "best.pt")
        rate = self._learner.learning_rate
        columns = {f"val_iou_{c.name}": iou for c, iou in zip(recipe.classes, ious, strict=True)}
        draw(epoch, {"loss": loss, "learning_rate": rate, **columns})
        shown = {name: f"{iou:.5f}" for name, iou in columns.items()}
        progress.history.append({"epoch": str(epoch), "loss": f"{loss:.5f}", "learning_rate": f"{rate:.6f}", **shown})
        _write_history(self._out / "history.csv", progress.history)
        tqdm.write(f"epoch {epoch:4d}  loss {loss:.4f}  val IoU {score_name(recipe)} {now.score:.4f}")
        return now.score

    def _save_state(self) -> None:
        if self.leads:
            state = {
                "recipe": self._recipe.model_dump(mode="json"),
                "pictures": len(self._training),
                "learner": self._learner.state(),
                "progress": asdict(self._progress),
            }
            save_whole(state, self._out / STATE)

    def _resume(self) -> None:
        path, advice = self._out / STATE, "the -o folder of a run that was stopped"
        state = load_plain(path, advice)
        try:
            if Recipe.model_validate(state["recipe"]) != self._recipe or state["pictures"] != len(self._training):
                raise ConfigError(f"{path}: is of another recipe or of other pictures: resume with what it began with")
            self._learner.restore(state["learner"])
            self._progress = _Progress(**state["progress"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(f"{path}: not the state of a run: give {advice}") from error


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """Tell in one line what became of the processes that bend pictures, or of a picture that one of them read."""
    try:
        yield
    except (DatasetError, PictureError) as error:
        raise type(error)(
            str(error).strip().splitlines()[-1].removeprefix(f"edge.errors.{type(error).__name__}: ")
        ) from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise ModelError(
            "a process that bends pictures was ended: go on with --resume, with more free memory"
        ) from error


def _write_history(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
