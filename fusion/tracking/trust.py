"""Which code a recorded configuration may name: what Emofuse is made of, and modules that the user trusts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module

from extractors.errors import InputError

OWN = ("fusion.", "extractors.")
LIBRARIES = (
    "torch.nn",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "pytorch_lightning",
    "pytorch_lightning.callbacks",
    "pytorch_lightning.loggers",
)


def refuse_foreign(targets: Iterable[str], trusted: Sequence[str] = ()) -> None:
    """Raise InputError where a target is no class of Emofuse, nor of the libraries that it is configured with.

    A run folder from a stranger must not choose which code runs here.

    >>> refuse_foreign(["fusion.heads.gated.GatedHead", "torch.optim.AdamW"])
    >>> refuse_foreign(["os.system"])
    Traceback (most recent call last):
    extractors.errors.InputError: the run's configuration names code that is not part of this Emofuse
      - os.system
    If you wrote or trust these modules, give trusted=[os].
    """
    foreign = [target for target in targets if not _allowed(target, trusted)]
    if foreign:
        modules = ",".join(dict.fromkeys(target.rpartition(".")[0] for target in foreign))
        raise InputError(
            "the run's configuration names code that is not part of this Emofuse",
            foreign,
            f"If you wrote or trust these modules, give trusted=[{modules}].",
        )


def _allowed(target: str, trusted: Sequence[str]) -> bool:
    module, _, name = target.rpartition(".")
    if module in trusted:
        return True
    if not module.startswith(OWN) and module not in LIBRARIES:
        return False
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError):  # of another version; or like fusion.cli.os.system, which Hydra would find
        return False
    # what a module of ours imported is not ours: fusion.cli.Path would be pathlib's
    return isinstance(found, type) and (module in LIBRARIES or found.__module__.startswith(OWN))
