"""The README's results table: EmoDB, RAVDESS and CMU-MOSI through the whole way, by the commands it shows.

    python benchmarks/real_data.py [--only emodb]

Needs the corpora at $EMOFUSE_DATA (see conf/data/*.yaml). Writes results/real_data.json and prints the table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import RESULTS, describe_machine, write_json

log = logging.getLogger("benchmarks.real_data")

ROOT = Path(__file__).resolve().parents[1]
LOSO = "split=leave_one_speaker_out speech=acoustic allow_leakage=true offline=true"
RUNS = {  # title -> command, without `python train.py`
    "bundled sample (synthetic), 5 of 14 voices held out": "experiment=quickstart",
    "EmoDB, 4 emotions, leave one speaker out": f"data=emodb {LOSO}",
    "RAVDESS, 8 emotions, leave one speaker out": f"data=ravdess {LOSO}",
    "CMU-MOSI, 2 classes, published division": "data=mosi split=column",
}


def main() -> None:
    """Run, collect and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="runs whose command holds this")
    parser.add_argument("--out", type=Path, default=RESULTS / "real_data.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rows = {title: _run(command) for title, command in RUNS.items() if options.only in command}
    log.info("\n%s", table(rows))
    write_json(options.out, {"machine": describe_machine(), "rows": rows})


def _run(command: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        log.info("python train.py %s", command)
        # one thread: the heads are too small for two to help, and the figures do not depend on it
        environment = os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
        arguments = [sys.executable, "train.py", *command.split(), f"hydra.run.dir={folder}"]
        subprocess.run(arguments, cwd=ROOT, env=environment, check=True)
        results = json.loads(Path(folder, "results.json").read_text(encoding="utf-8"))
    return {
        "command": f"python train.py {command}",
        "n": next(iter(results["test"].values()))["n"],
        "test": {
            system: {metric: entry[metric] for metric in ("wa", "ua", "macro_f1", "weighted_f1", "ece")}
            for system, entry in results["test"].items()
        },
        "difference": results["difference"],
        "difference_against": results["difference_against"],
        "verdict": results["verdict"],
        "interval": results["interval"],
    }


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Markdown: UA with its interval for each system, and whether fusion helps."""
    lines = ["| data | UA, speech | UA, text | UA, fusion | fusion helps? |", "|---|---|---|---|---|"]
    for title, row in rows.items():
        cells = [_cell(row["test"][system]["ua"]) for system in ("speech", "text", "fusion")]
        lines.append(f"| {title} | {' | '.join(cells)} | {row['verdict']['fusion_helps']} |")
    return "\n".join(lines)


def _cell(entry: dict[str, float]) -> str:
    return f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]"


if __name__ == "__main__":
    main()
