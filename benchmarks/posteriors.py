"""Late fusion of class outputs that others published: RAVDESS, a speech and two face models, five actor folds.

    python benchmarks/posteriors.py

Luna-Jiménez et al. (Applied Sciences 2022) publish 81.82 % accuracy for speech and 86.70 % fused. Here: each model alone,
plain means of aligned and of unaligned classes, the weighted vote and stacking, learnt on rows that the models were not
trained on (held out) and, as is often done, on those that they were (in sample).

Needs ravdess_posteriors at $EMOFUSE_DATA. Writes results/posteriors.json and prints the table in Markdown.
"""

from __future__ import annotations

import argparse
import ast
import csv
import logging
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from machine import RESULTS, describe_machine, write_json
from numpy.typing import NDArray
from scipy.special import softmax

from fusion.configuration import conf_folder, register_resolvers
from fusion.data.folds import Fold
from fusion.data.posterior_split import PosteriorSplit
from fusion.data.posteriors import PosteriorsSource
from fusion.data.table import FeatureTable
from fusion.evaluation.bootstrap import bootstrap
from fusion.evaluation.metrics import evaluate
from fusion.evaluation.scored import Scored
from fusion.heads.given import GivenHead
from fusion.heads.stacking import StackingHead
from fusion.heads.vote import VoteHead

log = logging.getLogger("benchmarks.posteriors")

PUBLISHED = {"speech": 81.82, "fused": 86.70}  # % accuracy, Luna-Jiménez et al. 2022
EXPECTED = {"mean": 83.6, "mean_unaligned": 29.6}  # % accuracy that others found for the same files
METRICS = ("wa", "ua")
SEEDS = range(1, 6)  # of the validation speakers
EQUAL = partial(VoteHead, mean="arithmetic", weights="equal")
HEADS: dict[str, Callable[..., GivenHead]] = {
    "arithmetic mean, equal weights": EQUAL,
    "geometric mean, equal weights": partial(VoteHead, weights="equal"),
    "vote, arithmetic, nll on val": partial(VoteHead, mean="arithmetic"),
    "vote, geometric, nll on val": VoteHead,
    "vote, geometric, ua on val": partial(VoteHead, objective="ua"),
    "vote, geometric, temperatures, nll on val": partial(VoteHead, temperatures=True),
    "vote, geometric, nll on train and val": partial(VoteHead, learn_on="both"),
    "stacking on train": StackingHead,
    "stacking on train and val": partial(StackingHead, learn_on="both"),
}
BI_LSTM = "AUs_biLSTM_6213/posteriorsv2/RAVDESS_AUs-{part}--fold_{fold}_outof_5-posteriors.csv"


def main() -> None:
    """Score, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS / "posteriors.json")
    parser.add_argument("--draws", type=int, default=5_000)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("fusion").setLevel(logging.WARNING)
    torch.set_num_threads(1)
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("train", overrides=["experiment=ravdess_posteriors"])
    sources = instantiate(cfg.data.sources, _convert_="all")
    names = dict(cfg.data.label_names)
    root = Path(sources["speech"]["files"].split("/wav2Vec/")[0])
    with tempfile.TemporaryDirectory() as folder:
        sources["face_bilstm"] = bilstm_source(root, Path(folder), sources["speech"]["classes"])
        systems, seeds = scored_systems(sources, names, root)
    resampled = bootstrap(systems, draws=options.draws)
    rows = {
        name: {
            **{metric: resampled.intervals(name)[metric] for metric in METRICS},
            "minus_speech": {metric: resampled.difference(name, "speech")[metric] for metric in METRICS},
            "folds": by_fold(scored),
            "seeds": seeds.get(name),
        }
        for name, scored in systems.items()
    }
    first = next(iter(systems.values()))
    content = {
        "published_percent": PUBLISHED,
        "expected_percent": EXPECTED,
        "rows_tested": len(first),
        "interval": {
            "level": 0.95,
            "unit": resampled.units.kind,
            "units": resampled.units.total,
            "draws": options.draws,
        },
        "systems": rows,
        "machine": describe_machine(["torch", "numpy", "scikit-learn"]),
    }
    log.info("\n%s", table_of(rows))
    write_json(options.out, content)


def scored_systems(
    sources: dict[str, Any], names: dict[str, str], root: Path
) -> tuple[dict[str, Scored], dict[str, dict[str, Any]]]:
    """name -> its answers on the 1440 clips; name -> what other validation speakers would have given."""
    systems: dict[str, Scored] = {}
    seeds: dict[str, dict[str, Any]] = {}
    table = PosteriorsSource(sources=sources, label_names=names).read()
    known = PosteriorsSource(sources=sources, label_names=names, learn_from="in_sample").read()
    folds = PosteriorSplit().split(table)
    order = np.concatenate([fold.test for fold in folds])
    for model in sources:
        systems[model] = plain(table.only([model]), folds, model)  # type: ignore[list-item]
    by_code = list(sources["face"]["classes"].values())
    # the mistake that named classes rule out: columns added by position, and read as the one or the other has them
    for name, labels in (("face", by_code), ("speech", list(sources["speech"]["classes"].values()))):
        summed = sum(
            np.exp(table.features[model].astype(float))[order][:, [table.labels.index(label) for label in own]]  # type: ignore[index]
            for model, own in ((model, list(sources[model]["classes"].values())) for model in ("speech", "face"))
        )
        read = summed[:, [labels.index(label) for label in table.labels]]
        systems[f"arithmetic mean, unaligned, read in the order of {name}"] = scored(table, folds, read)
    for models in (["speech", "face"], ["speech", "face", "face_bilstm"]):
        suffix = "" if len(models) == 2 else ", three models"
        for name, make in HEADS.items():
            systems[name + suffix] = learnt(table.only(models), 1, make)  # type: ignore[arg-type]
            if "equal" not in name:
                found = [evaluate(learnt(table.only(models), seed, make)) for seed in SEEDS]  # type: ignore[arg-type]
                seeds[name + suffix] = {metric: spread([one[metric] for one in found]) for metric in METRICS}
    for name in ("vote, geometric, nll on val", "stacking on train"):
        systems[f"{name}, in sample"] = learnt(known.only(["speech", "face"]), 1, HEADS[name])  # type: ignore[list-item]
    systems["published fusion's own outputs"] = published(root, table, folds, by_code)
    ids = systems["speech"].ids
    for name, found in systems.items():
        assert found.ids == ids, f"{name} answers other rows"
    return systems, seeds


def bilstm_source(root: Path, folder: Path, classes: dict[str, str]) -> dict[str, Any]:
    """The second face model as a source: its files have no header, and the logits in one cell. `val` is what it tests.

    Its classes are not documented; in the order of the alphabet it scores 62 %, in that of the code it would not.
    """
    for fold in range(5):
        for part, name in (("train", "train"), ("val", "test")):
            with (root / BI_LSTM.format(part=part, fold=fold + 1)).open(newline="", encoding="utf-8") as file:
                rows = [(id.removesuffix(".csv"), *ast.literal_eval(cell)) for id, cell in csv.reader(file)]
            target = folder / f"fold{fold}" / f"{name}.csv"
            target.parent.mkdir(exist_ok=True)
            with target.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([("id", *classes), *rows])
    return {"files": str(folder / "fold{fold}" / "{split}.csv"), "kind": "logits", "classes": dict(classes)}


def scored(table: FeatureTable, folds: Sequence[Fold], probabilities: NDArray[np.float64]) -> Scored:
    """Answers to the folds' test rows, fold after fold."""
    tested = np.concatenate([fold.test for fold in folds])
    rows = table.rows.iloc[tested]
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    return Scored(
        ids=rows["content"].tolist(),
        targets=table.targets[tested],
        probabilities=probabilities,
        uncalibrated=probabilities,
        groups=rows["speaker"].tolist(),
        folds=[fold.name for fold in folds for _ in fold.test],
    )


def plain(table: FeatureTable, folds: Sequence[Fold], model: str) -> Scored:
    """What one model says, as it says it."""
    tested = np.concatenate([fold.test for fold in folds])
    return scored(table, folds, np.exp(table.features[model][tested].astype(np.float64)))  # type: ignore[index]


def learnt(table: FeatureTable, seed: int, make: Callable[..., GivenHead]) -> Scored:
    """A head for each fold, learnt from the rows that teach and validate it, asked about the rows that it tests."""
    folds = PosteriorSplit(seed=seed).split(table)
    speakers = torch.from_numpy(np.unique(table.rows["speaker"].astype(str), return_inverse=True)[1])
    targets = torch.from_numpy(table.targets)
    answers = []
    for fold in folds:
        head = make(dims=table.dims, num_classes=len(table.labels))
        train, val, test = (side_of(table, rows) for rows in (fold.train, fold.val, fold.test))
        head.fit(
            *train,
            targets[fold.train],
            *val,
            targets[fold.val],
            groups=speakers[fold.train],
            val_groups=speakers[fold.val],
        )
        with torch.no_grad():
            answers.append(softmax(head(*test).logits.double().numpy(), axis=1))
    return scored(table, folds, np.concatenate(answers))


def side_of(table: FeatureTable, rows: NDArray[np.int64]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    features = {m: torch.from_numpy(values[rows]) for m, values in table.features.items()}
    return features, {m: torch.from_numpy(there[rows]) for m, there in table.present.items()}  # type: ignore[return-value]


def published(root: Path, table: FeatureTable, folds: Sequence[Fold], classes: Sequence[str]) -> Scored:
    """The probabilities that the paper's own fusion gave. Most ids are missing from its training files: they are not read."""
    columns = {f"embs{number}": name for number, name in enumerate(classes)}
    given = {
        "files": str(root / "Fusion/posteriors/test_fold{fold}.csv"),
        "kind": "probabilities",
        "classes": columns,
        "id": "video_name",
        "delimiter": ";",
    }
    fused = PosteriorsSource(sources={"fused": given}, require_label=False).read(labels=table.labels)
    place = {id: row for row, id in enumerate(fused.rows["content"])}
    tested = [place[id] for fold in folds for id in table.rows["content"].iloc[fold.test]]
    return scored(table, folds, np.exp(fused.features["fused"][tested].astype(np.float64)))  # type: ignore[index]


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean and standard deviations, each called by its name."""
    return {
        "mean": float(np.mean(values)),
        "std_sample": float(np.std(values, ddof=1)),
        "std_population": float(np.std(values)),
        "n": len(values),
    }


def by_fold(system: Scored) -> dict[str, Any]:
    found = [evaluate(system.in_fold(name)) for name in system.fold_names]
    return {metric: spread([one[metric] for one in found]) for metric in METRICS}


def table_of(rows: dict[str, dict[str, Any]]) -> str:
    """Markdown: accuracy and UA in percent with 95 % intervals over actors, folds as mean ± sample deviation."""
    lines = ["| system | WA | UA | WA, 5 folds | WA, other validation actors |", "|---|---|---|---|---|"]
    for name, row in rows.items():
        fold, seeds = row["folds"]["wa"], row["seeds"] and row["seeds"]["wa"]
        lines.append(
            f"| {name} | {_percent(row['wa'])} | {_percent(row['ua'])} "
            f"| {_mean(fold)} "
            f"| {_mean(seeds) if seeds else '–'} |"
        )
    return "\n".join(lines)


def _mean(entry: dict[str, float]) -> str:
    return f"{100 * entry['mean']:.2f} ± {100 * entry['std_sample']:.2f}"


def _percent(entry: dict[str, float]) -> str:
    return f"{100 * entry['value']:.2f} [{100 * entry['low']:.2f}, {100 * entry['high']:.2f}]"


if __name__ == "__main__":
    main()
