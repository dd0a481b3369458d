"""What the callbacks of a fit see of a trainer at the end of an epoch, so that the very same callbacks watch a stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn

from fusion.callbacks import BestEpoch, LongFitLog, ResumePoint

WATCHERS = (BestEpoch, EarlyStopping)
# a stack writes no resume points: its finished fits are what an interrupted run leaves; and it tells its progress itself
IDLE = (ResumePoint, LongFitLog)


@dataclass
class EpochEnd:
    """As much of a `pytorch_lightning.Trainer` as `BestEpoch` and `EarlyStopping` look at."""

    callback_metrics: dict[str, Tensor] = field(default_factory=dict)
    current_epoch: int = 0
    should_stop: bool = False
    # a plain run on one device, validated after every epoch; any other is left to the sequential engine
    val_check_interval: float = 1.0
    check_val_every_n_epoch: int = 1
    fast_dev_run: bool = False
    sanity_checking: bool = False
    world_size: int = 1
    global_rank: int = 0
    state: Any = field(default_factory=lambda: SimpleNamespace(fn=TrainerFn.FITTING))
    strategy: Any = field(
        default_factory=lambda: SimpleNamespace(reduce_boolean_decision=lambda decision, all=True: decision)
    )


class Watch:
    """The callbacks of one fit, and what they have seen.

    Args:
        callbacks: name -> factory, as a recipe has them.
        module: has the trained model as its submodule `model`.
    """

    def __init__(self, callbacks: Mapping[str, Callable[[], Callback]], module: nn.Module) -> None:
        made = [make() for make in callbacks.values()]
        self.best = next(callback for callback in made if isinstance(callback, BestEpoch))
        self._watchers = [callback for callback in made if isinstance(callback, WATCHERS)]
        self._module, self._trainer = module, EpochEnd()
        for callback in self._watchers:
            callback.setup(self._trainer, module, "fit")  # type: ignore[arg-type]

    @property
    def stopped(self) -> bool:
        return self._trainer.should_stop

    def epoch_ends(self, epoch: int, validation: Mapping[str, Tensor], training: Mapping[str, Tensor]) -> None:
        """Tell the callbacks in Lightning's order: after validation, then at the end of the epoch."""
        trainer: Any = self._trainer
        trainer.current_epoch = epoch
        trainer.callback_metrics |= validation
        for callback in self._watchers:
            callback.on_validation_end(trainer, self._module)  # type: ignore[arg-type]
        trainer.callback_metrics |= training
        for callback in self._watchers:
            callback.on_train_epoch_end(trainer, self._module)  # type: ignore[arg-type]


def unwatched(callbacks: Sequence[Callback]) -> list[Callback]:
    """Those of `callbacks` that a stack could not call as Lightning would.

    Not even those that inherit from one it knows: what they add may look at more of the trainer.
    """
    return [callback for callback in callbacks if type(callback) not in (*WATCHERS, *IDLE)]
