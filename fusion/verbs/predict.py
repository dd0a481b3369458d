"""`emofuse predict`: labels, probabilities and reasons for one clip or a table of them, from a bundle folder alone."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from extractors.errors import InputError
from extractors.files import write_text
from extractors.writable import check_writable_file
from fusion.cli import verb
from fusion.predictor import Prediction, Predictor

log = logging.getLogger(__name__)
SHOWN_ROWS = 50  # of a long table; the file holds all


@verb("predict", literal={"audio": "clip.audio", "text": "clip.text"})
def main(cfg: DictConfig) -> None:
    """Predict one clip (audio=, text=) or every row of a table (data.path=)."""
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    output = Path(cfg.output) if cfg.output else run_dir / "predictions.jsonl"
    check_writable_file(output, "output")  # before the long work
    predictor = Predictor.from_bundle(
        Path(cfg.bundle),
        trusted=tuple(cfg.trusted),
        device=cfg.device,
        sources={"speech": cfg.speech_model, "text": cfg.text_model},
        offline=cfg.offline,
    )
    predictions = _predict(cfg, predictor, run_dir)
    write_text(output, "".join(json.dumps(p.as_dict(), ensure_ascii=False) + "\n" for p in predictions))
    Console().print(prediction_table(predictions, predictor))
    for prediction in [p for p in predictions if p.error is not None][:SHOWN_ROWS]:
        log.warning("%s: %s", prediction.id, prediction.error)
    for modality in predictor.info.modalities:
        if count := sum(modality in prediction.failed for prediction in predictions):
            log.warning("%d clips could not be used for their %s; the file says why", count, modality)
    log.info("%d of %d clips answered, in %s", sum(p.error is None for p in predictions), len(predictions), output)


def _predict(cfg: DictConfig, predictor: Predictor, run_dir: Path) -> list[Prediction]:
    one, many = cfg.clip.audio is not None or cfg.clip.text is not None, not OmegaConf.is_missing(cfg.data, "path")
    if one == many:
        raise InputError(
            "expected either one clip or a table" + (", got both" if one else ", got neither"),
            hint='Give audio=x.wav and/or text="…", or data.path=more.csv.',
        )
    if one:
        name = Path(cfg.clip.audio).stem if cfg.clip.audio else "text"
        return [predictor.predict(cfg.clip.audio, cfg.clip.text, id=name)]
    source = instantiate(cfg.data, require_label=False)
    return source.predict(predictor, store=lambda: instantiate(cfg.store), run_dir=run_dir)


def prediction_table(predictions: list[Prediction], predictor: Predictor) -> Table:
    """A row for each clip: what it was taken for, how surely, and which modality carried it."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False, caption_justify="left")
    table.add_column("id", no_wrap=True, max_width=28)
    table.add_column("label", no_wrap=True)
    for heading in ("probability", "entropy", *predictor.info.modalities):
        table.add_column(heading, justify="right", no_wrap=True)
    for prediction in predictions[:SHOWN_ROWS]:
        if prediction.error is not None:
            table.add_row(Text(prediction.id), Text("failed", "red"))
            continue
        label = prediction.label if prediction.label == prediction.best else f"{prediction.label} ({prediction.best}?)"
        table.add_row(
            Text(prediction.id),  # as Text: an id may hold what rich takes for markup
            Text(label),
            f"{prediction.confidence:.3f}",
            f"{prediction.entropy:.2f} bit",
            *(_share(prediction, modality) for modality in predictor.info.modalities),
        )
    notes = [
        f"{', '.join(predictor.info.modalities)}: what it adds to the probability, over the label's share in training"
    ]
    if len(predictions) > SHOWN_ROWS:
        notes.insert(0, f"… and {len(predictions) - SHOWN_ROWS:,} more rows in the file")
    table.caption = "\n".join(notes)
    return table


def _share(prediction: Prediction, modality: str) -> Text:
    """What a modality added, or that it could not be used."""
    if modality in prediction.failed:
        return Text("failed", "red")
    return Text(f"{prediction.contributions[modality]:+.3f}".replace("-", "−"))
