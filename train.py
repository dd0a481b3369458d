"""A table of speech, words and labels in; a trained, measured, self-describing classifier out.

    python train.py experiment=quickstart
    emofuse train data=manifest data.path=calls.csv speech=emotion2vec_plus_large text=minilm head=gated

A table of contents: each line makes one thing from the configuration or hands it on.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from fusion.cli import verb

log = logging.getLogger(__name__)


@verb("train")
def main(cfg: DictConfig) -> float:
    """Train fusion and each modality alone on the same split; returns the validation UA of what the bundle ships, so
    that a search over configurations never looks at the test rows.
    """
    from fusion.data.leakage import resolve_leakage
    from fusion.deliver import choices_of, clear_earlier, deliver
    from fusion.evaluation.results import build_results
    from fusion.experiment import run_trials
    from fusion.heads.base import reads_sequences
    from fusion.recipe import recipe_of, seeds_of, settings_of
    from fusion.tracking.environment import record_environment
    from fusion.tracking.loggers import log_results
    from fusion.trials import pooled, pooled_shown, training_notes, validation_score

    run_dir = Path(HydraConfig.get().runtime.output_dir)
    recipe = recipe_of(cfg)
    engine = instantiate(cfg.engine)
    record_environment(run_dir, cfg)

    splitter = instantiate(cfg.split)
    leak_free = partial(resolve_leakage, allow_leakage=cfg.allow_leakage)
    source = instantiate(cfg.data)
    table = source.load(
        extractors={m: partial(instantiate, cfg[m]) for m in cfg.modalities if m in cfg},
        store=partial(instantiate, cfg.store),
        modalities=tuple(dict.fromkeys(cfg.modalities)),
        run_dir=run_dir,
        check=lambda rows: leak_free(rows, splitter.split(rows)),  # a split that leaks is refused before the long work
        frames=reads_sequences(recipe["head"]),
        **cfg.extraction,
    )
    folds, leaks = leak_free(table, splitter.split(table))
    leaks.print()
    clear_earlier(run_dir)

    trials = run_trials(
        table,
        folds,
        recipe,
        engine=engine,
        seeds=seeds_of(cfg),
        settings=settings_of(cfg),
        run_dir=run_dir,
        coverage=cfg.evaluation.coverage,
        resume=Path(cfg.resume) if cfg.resume else None,
    )
    systems = pooled(trials)
    results = build_results(
        systems,
        labels=table.labels,
        split=HydraConfig.get().runtime.choices["split"],
        seed=cfg.seed,
        allow_leakage=leaks.allowed,
        overlap=leaks.as_dict(),
        training=training_notes(trials),
        shown=pooled_shown(trials),
        run=choices_of(cfg),
        notice=source.notice,
        draws=cfg.evaluation.draws,
    )
    deliver(cfg, table, folds, trials, systems, results, recipe=recipe, engine=engine, run_dir=run_dir)
    log_results(cfg, results, run_dir)
    return validation_score(trials)


if __name__ == "__main__":
    main()
