"""Lightning without its small talk: device lists, tips, advertisements."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

TALKERS = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric")
# Messages about what is meant here. All other warnings stay: they may be the reason for a bad result.
MEANT = (
    r".*does not have many workers.*",  # there are no workers: tensors lie on the device
    r".*smaller than the logging interval.*",  # metrics are logged by epoch
    r".*directory .* exists and is not empty.*",  # it is the run's own folder
    r".*GPU available but not used.*",  # the config said so
    r".*treespec.*LeafSpec.*is deprecated.*",  # Lightning's own use of torch
)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Inside, Lightning's loggers speak from WARNING on, and its warnings about what is meant are silent.

    >>> with quiet_lightning():
    ...     logging.getLogger("pytorch_lightning").isEnabledFor(logging.INFO)
    False
    """
    loggers = [logging.getLogger(name) for name in TALKERS]
    levels = [logger.level for logger in loggers]
    # the children that set no level of their own follow; Lightning sets one on its root logger alone
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in MEANT:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
