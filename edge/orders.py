"""Orders: what an operator asked for over MQTT, carried out by the core."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from edge.apart import Apart
from edge.capture.capture import frame_slot
from edge.errors import BundleError, ConfigError, EdgeloupeError
from edge.mqtt.command import RefusedError
from edge.pictures.image import unpack
from edge.recipe import RecipeChoice, recipes_of
from edge.slot import Slot
from edge.thresholds import InForce, Thresholds, adjusted
from edge.trial import TRIAL_S, try_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.clock import Clock
    from edge.config import Config
    from edge.evidence.store import EvidenceStore
    from edge.mqtt.command import Order
    from edge.recipe import Recipe
    from edge.succession import Succession
    from edge.supervise import Supervised

SHOT_S = 30.0
"""A triggered picture is inspected within this time, or the trigger has failed."""


class Asker(Protocol):
    """Where orders come from, and their answers go; both methods may be called from any thread."""

    def orders(self) -> list[Order]:
        """Take the commands that are to be carried out."""
        ...

    def answer(self, order: Order, told: Mapping[str, Any], /) -> None:
        """Say what became of an order: `error` is None when it was done."""
        ...

    def set_recipe(self, name: str, /) -> None:
        """Show which recipe is in force."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shot:
    order: Order
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """A model that is tried before anything changes."""

    order: Order
    apart: Apart
    then: Callable[[], dict[str, Any]]  # when it is proven; gives the answer


class Orders:
    """Starts and stops cameras, takes single pictures, changes recipes and models; belongs to the core's thread.

    A stopped camera has no process and stays stopped until it is started, or the device is.
    """

    def __init__(
        self,
        config: Config,
        children: Mapping[str, Supervised],
        evidence: EvidenceStore,
        asker: Asker | None,
        succession: Succession,
        clock: Clock,
    ) -> None:
        self.stopped: set[str] = set()  # cameras
        self._shots: dict[str, _Shot] = {}
        self._trial: _Trial | None = None
        self._succession = succession
        self._config = config
        self._children = children
        self._evidence = evidence
        self._asker = asker
        self._clock = clock
        self._recipes = recipes_of(config)
        self._rules = {name: recipe.rules for name, recipe in self._recipes.items()}
        self._choice = RecipeChoice(config)
        self._thresholds = Thresholds(config.storage.runtime_dir)
        self._thresholds.create()
        self.recipe = self._recipes[self._choice.read()]
        self._put_into_force(InForce(self.recipe.name, self.recipe.rules))

    def idle(self, child: str) -> bool:
        """Say whether a process is not to be running."""
        camera = child.removeprefix("camera ")
        return child.startswith("camera ") and camera in self.stopped and camera not in self._shots

    def inspected(self, camera: str, result: Mapping[str, Any]) -> None:
        """Take note of an inspection: a triggered one is answered with it, and its camera stops again."""
        shot = self._shots.pop(camera, None)
        if shot is not None:
            self._children[f"camera {camera}"].stop()
            names = ("result_id", "result_evaluation", "reasons")
            self._answer(shot.order, {"error": None, "camera": camera, **{name: result[name] for name in names}})

    def tend(self) -> None:
        """Do what was asked for, and give up on triggered pictures that did not come; to be called regularly."""
        self._succession.tend()
        for order in self._asker.orders() if self._asker else ():
            self._carry_out(order, lambda order=order: self._do(order))  # type: ignore[misc]
        if self._trial is not None and (answer := self._trial.apart.answer()) is not None:
            trial, self._trial = self._trial, None
            trial.apart.end()
            if answer.fault:
                self._answer(trial.order, {"error": answer.detail})
            else:
                self._carry_out(trial.order, trial.then)
        now = self._clock.monotonic_s()
        for camera in [camera for camera, shot in self._shots.items() if shot.until_s < now]:
            shot = self._shots.pop(camera)
            self._children[f"camera {camera}"].stop()
            self._answer(shot.order, {"error": f"camera {camera} gave no picture within {SHOT_S:.0f} s"})

    def _carry_out(self, order: Order, action: Callable[[], dict[str, Any] | None]) -> None:
        """Do what is asked; the answer follows at once, or when it is done."""
        try:
            told = action()
        except (RefusedError, ConfigError, BundleError) as error:
            told = {"error": str(error)}
        if told is not None:
            self._answer(order, told)

    def _answer(self, order: Order, told: Mapping[str, Any]) -> None:
        if self._asker is not None:
            self._asker.answer(order, told)

    def _do(self, order: Order) -> dict[str, Any] | None:
        """Carry out; None when the answer comes later. Raises RefusedError, ConfigError, BundleError."""
        cameras = [order.camera] if order.camera else list(self._config.cameras)
        match order.verb:
            case "start":
                self.stopped.difference_update(cameras)
            case "stop":
                self.stopped.update(cameras)
                for camera in cameras:
                    self._children[f"camera {camera}"].stop()
            case "trigger":
                self._trigger(order, cameras)
                return None
            case "snapshot":
                self._snapshot(order, cameras)
                return None
            case "reload_model":
                self._end_worker(f"{order.who} asked for the model to be loaded anew")
            case "adjust":
                return self._adjust(order)
            case "prepare_recipe":
                return self._prepare(order)
            case _:
                earlier = self._succession.earlier(self.config)
                self._try(order, earlier, lambda: self._roll_back(earlier))
                return None
        return {"error": None, "cameras": cameras, "stopped": sorted(self.stopped)}

    def _adjust(self, order: Order) -> dict[str, Any]:
        """Put other thresholds of the recipe in force into force, until the device is started again."""
        name = self.recipe.name
        rules = adjusted(self._rules[name], order.fields.get("rules"), self.recipe.zones)
        self._put_into_force(InForce(name, rules))
        return {"error": None, "rules": {label: rule.model_dump() for label, rule in rules.items()}}

    def told(self) -> dict[str, Any]:
        """Say what is in force, which model waits to be loaded, and which was taken back."""
        return {"recipe_id": self.recipe.name, **self._succession.told()}

    @property
    def config(self) -> Config:
        """The configuration, beginning with the recipe in force."""
        return self._config.model_copy(update={"recipe": self.recipe.name})

    def _prepare(self, order: Order) -> dict[str, Any] | None:
        """Change the recipe, where its model is another one after that was tried."""
        if None in self._recipes:
            raise RefusedError("this device has no recipes: add them to its configuration")
        name = order.fields.get("recipe_id")
        if not isinstance(name, str) or name not in self._recipes:
            raise RefusedError(f"recipe_id: there is no such recipe, only {', '.join(map(str, self._recipes))}")
        recipe = self._recipes[name]
        if recipe.bundle == self.recipe.bundle:
            return self._change_recipe(recipe)
        wanted = self._config.model_copy(update={"recipe": name})
        self._try(order, wanted, lambda: self._change_recipe(recipe))
        return None

    def _end_worker(self, why: str) -> None:
        """Have the worker finish what it has begun, and another one open its model."""
        self._children["worker"].replace(why, at_once=True, gently=True)

    def _try(self, order: Order, wanted: Config, then: Callable[[], dict[str, Any]]) -> None:
        """Try a model in a process of its own, and go on when it is proven; meanwhile nothing changes."""
        if self._trial is not None:
            raise RefusedError("another model is being tried: ask again later")
        self._trial = _Trial(order=order, apart=Apart("trial", TRIAL_S, try_model, wanted), then=then)

    def _roll_back(self, tried: Config) -> dict[str, Any]:
        name = self._succession.roll_back(tried)
        self._end_worker(f"the model is rolled back to {name}")
        return {"error": None, "bundle": name}

    def _change_recipe(self, recipe: Recipe) -> dict[str, Any]:
        """Keep the choice, then put it into force: each picture that is taken up from now on is judged by it.

        Raises ConfigError, and then nothing has changed.
        """
        if recipe.name is not None:
            self._choice.write(recipe.name)
        if recipe.bundle != self.recipe.bundle:  # so that no picture is judged by this recipe and the other's model
            self._end_worker(f"recipe {recipe.name} has another model")
        self.recipe = recipe
        self._put_into_force(InForce(recipe.name, self._rules[recipe.name]))
        return {"error": None, "recipe_id": recipe.name}

    def _put_into_force(self, told: InForce) -> None:
        self._thresholds.tell(told)
        self._rules[told.recipe] = told.rules
        if self._asker is not None and told.recipe is not None:
            self._asker.set_recipe(told.recipe)

    def _trigger(self, order: Order, cameras: list[str]) -> None:
        camera = _the_one(cameras)
        if camera not in self.stopped:
            raise RefusedError(f"camera {camera} inspects by itself: stop it first, to take single pictures")
        if camera in self._shots:
            raise RefusedError(f"camera {camera} is taking a picture already")
        self._shots[camera] = _Shot(order=order, until_s=self._clock.monotonic_s() + SHOT_S)

    def _snapshot(self, order: Order, cameras: list[str]) -> None:
        """Keep the newest frame, in a thread of its own: the core waits for no picture and no disk."""
        camera = _the_one(cameras)
        if self._config.storage.blur_people:
            raise RefusedError("storage.blur_people is set, and a snapshot would show people: ask for none")
        if any(thread.name == "snapshot" for thread in threading.enumerate()):
            raise RefusedError("a snapshot is being taken already")
        threading.Thread(target=self._keep_frame, args=(order, camera), name="snapshot", daemon=True).start()

    def _keep_frame(self, order: Order, camera: str) -> None:
        try:
            with Slot(frame_slot(self._config.storage.runtime_dir, camera)) as slot:
                snapshot = slot.newest()
                if snapshot is None:
                    raise RefusedError(f"camera {camera} has given no picture yet")
                picture = unpack(snapshot.meta.get("image", {}), snapshot.arrays).copy()
                if not snapshot.intact():
                    raise RefusedError("the picture was overtaken by newer ones: ask again")
                at = snapshot.meta["captured_at"]
            kept = self._evidence.save(picture, at, camera, f"snapshot-{snapshot.meta['id']}")
            told = {"error": None if kept else "the picture could not be kept: see the log", "evidence": kept}
        except (EdgeloupeError, OSError) as error:
            told = {"error": str(error)}
        self._answer(order, told)


def _the_one(cameras: list[str]) -> str:
    if len(cameras) > 1:
        raise RefusedError("say which camera")
    return cameras[0]
