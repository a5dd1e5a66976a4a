"""Search: find the recipe that scores best on the validation split, with Optuna, on one machine or on several."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError, model_validator

from edge import strict_yaml
from edge.errors import ConfigError, ModelError
from edge.strict_yaml import Strict
from models.derive import write_recipe
from models.recipe import Recipe
from models.train import STATE, Options, train

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import optuna

Value = str | int | float | bool | None


class Search(Strict):
    """What one setting may be: from `low` to `high`, whole where both are written so, or one of `choices`."""

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: Annotated[list[Value], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Search:
        if self.choices is not None:
            if (self.low, self.high, self.log) != (None, None, False):
                raise ValueError("must have either choices or low and high")
        elif self.low is None or self.high is None:
            raise ValueError("must have low and high, or choices")
        elif not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError("low must be below high, and above 0 where log is true")
        return self

    def draw(self, trial: optuna.Trial, key: str) -> Value:
        """Let `trial` choose."""
        if self.choices is not None:
            return trial.suggest_categorical(key, self.choices)
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(key, self.low, self.high, log=self.log)
        return trial.suggest_float(key, self.low or 0, self.high or 0, log=self.log)

    @property
    def example(self) -> Value:
        """One of the values."""
        return self.choices[0] if self.choices is not None else self.low


class Space(Strict):
    """What is searched: keys are paths into the recipe, such as `train.learning_rate` or `classes.2.weight`."""

    space: Annotated[dict[str, Search], Field(min_length=1)]


DEFAULT_SPACE = Space(
    space={
        "train.learning_rate": Search(low=5e-4, high=1e-2, log=True),
        "train.weight_decay": Search(low=1e-3, high=1e-1, log=True),
        "loss.dice": Search(low=0.0, high=2.0),
        "loss.lovasz": Search(low=0.0, high=1.0),
        "sampling.balance": Search(low=0.0, high=1.0),
        "sampling.defect_crop": Search(low=0.0, high=0.8),
        "sampling.copy_paste": Search(low=0.0, high=0.6),
    }
)
"""What is worth searching for most data sets."""


def load_space(path: Path, recipe: Recipe) -> Space:
    """Read what is to be searched and try it on the recipe. Raises ConfigError."""
    space = strict_yaml.load(path, Space)
    for key, search in space.space.items():
        try:
            varied(recipe, {key: search.example})
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
    return space


def varied(recipe: Recipe, values: Mapping[str, Value]) -> Recipe:
    """Change some settings of a recipe, named by their paths. Raises ConfigError: no such setting, or a bad value."""
    tree = recipe.model_dump(mode="json")
    for path, value in values.items():
        try:
            _put(tree, [int(part) if part.isdecimal() else part for part in path.split(".")], value)
        except (LookupError, TypeError) as error:
            raise ConfigError(f"{path}: is no setting of a recipe: write it as in train.learning_rate") from error
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise ConfigError(f"{'.'.join(map(str, fault['loc']))} = {fault['input']!r}: {fault['msg']}") from error


def _put(tree: Any, path: Sequence[str | int], value: Value) -> None:
    """Replace what stands at `path`. Raises LookupError or TypeError where nothing does."""
    *steps, last = path
    for step in steps:
        tree = tree[step]
    if last not in tree:
        raise KeyError(last)
    tree[last] = value


def open_study(name: str, storage: str, recipe: Recipe, space: Space) -> optuna.Study:
    """Open a study, or go on with one that was started with the same recipe and space, here or on another machine.

    Raises:
        ConfigError: Optuna is missing, the storage can't be used, or the study searched something else.
    """
    try:
        import optuna  # noqa: PLC0415 - an extra, which nothing else needs
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - comes with it
    except ImportError as error:
        raise ConfigError("search needs the package optuna: pip install 'edgeloupe[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(),
        )
        identity = {"recipe": recipe.model_dump(mode="json"), "space": space.model_dump(mode="json")}
        if study.user_attrs and study.user_attrs != identity:
            raise ConfigError(f"study {name!r}: searched another recipe or space: choose another name with --study")
        for key, value in identity.items():
            study.set_user_attr(key, value)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"storage {storage}: {reason}: give a URL such as sqlite:///study.db") from error
    return study


def search_settings(
    study: optuna.Study, recipe: Recipe, space: Space, root: Path, out: Path, trials: int, options: Options
) -> None:
    """Try recipes until the study has `trials` trials, whoever made them; bad ones are given up early.

    Each trial has a folder in `out`; `best.yaml` there is the best recipe so far.

    Raises:
        DatasetError: the data set can't be used.
    """
    import optuna  # noqa: PLC0415 - as above

    def attempt(trial: optuna.Trial) -> float:
        def watch(epoch: int, score: float) -> None:
            trial.report(score, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        tried = varied(recipe, {key: search.draw(trial, key) for key, search in space.space.items()})
        folder = out / f"trial-{trial.number:04d}"
        with _put_away(folder):
            return train(tried, root, folder, replace(options, watch=watch)).score

    def keep_best(study: optuna.Study, _trial: optuna.trial.FrozenTrial) -> None:
        if best := best_recipe(study, recipe):
            write_recipe(best, out / "best.yaml")

    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.FAIL)
    if len(study.get_trials(deepcopy=False, states=ended)) < trials:
        enough = optuna.study.MaxTrialsCallback(trials, states=ended)
        study.optimize(attempt, callbacks=[keep_best, enough], catch=(ModelError,))


def best_recipe(study: optuna.Study, recipe: Recipe) -> Recipe | None:
    """Give the best recipe that was tried to the end; None where there is none yet."""
    complete = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if not complete:
        return None
    return varied(recipe, max(complete, key=lambda trial: trial.value or 0).params)


@contextlib.contextmanager
def _put_away(folder: Path) -> Iterator[None]:
    """Leave no unfinished run behind: a trial is never resumed, and its number may come again in another study."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield
    finally:
        (folder / STATE).unlink(missing_ok=True)
