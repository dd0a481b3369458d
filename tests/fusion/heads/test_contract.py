"""Every head of conf/head goes through the same properties, and broken heads are caught by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from extractors.errors import InputError
from fusion.heads.base import Head, HeadOutput

CONFIGS = sorted((Path(__file__).resolve().parents[3] / "conf" / "head").glob("*.yaml"))
CLASSES = 5
SUBSETS: list[dict[str, int]] = [
    {"speech": 11, "text": 7},
    {"speech": 11},
    {"text": 7},
    {"speech": 11, "text": 7, "face": 5},
]

Data = tuple[dict[str, Tensor], dict[str, Tensor]]


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def build(request: pytest.FixtureRequest) -> Callable[..., Head]:
    return instantiate(OmegaConf.load(request.param))


@pytest.fixture(params=SUBSETS, ids="+".join)
def dims(request: pytest.FixtureRequest) -> dict[str, int]:
    return request.param


def make(build: Callable[..., Head], dims: Mapping[str, int]) -> Head:
    """In training mode with dropout off: BatchNorm and its kind show themselves only there."""
    torch.manual_seed(0)
    head = build(dims=dims, num_classes=CLASSES).train()
    for module in head.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return head


def data(head: Head, rows: int = 8, seed: int = 1) -> Data:
    """All patterns of presence: row r has modality m where bit m of r is set; row 0 has nothing, the last all."""
    generator = torch.Generator().manual_seed(seed)
    frames = (6,) if head.needs_sequences else ()
    features = {m: torch.randn(rows, *frames, dim, generator=generator) for m, dim in head.dims.items()}
    present = {m: torch.tensor([row >> column & 1 == 1 for row in range(rows)]) for column, m in enumerate(head.dims)}
    return features, present


def everything(present: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {m: torch.ones_like(flags) for m, flags in present.items()}


def take(values: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {m: tensor[rows] for m, tensor in values.items()}


def same(a: HeadOutput, b: HeadOutput, tolerance: float = 1e-5) -> bool:
    return all(torch.allclose(x, y, atol=tolerance, rtol=tolerance) for x, y in zip(a, b, strict=True))


# the properties -------------------------------------------------------------------------------------------------


def check_shapes(head: Head) -> None:
    features, present = data(head)
    logits, embedding, weights = head(features, present)
    assert logits.shape == (8, CLASSES)
    assert embedding.ndim == 2
    assert embedding.shape[0] == 8
    assert weights.shape == (8, len(head.dims))
    assert all(part.isfinite().all() for part in (logits, embedding, weights)), "also where nothing is present"


def check_weights(head: Head) -> None:
    features, present = data(head)
    mask = torch.stack([present[m] for m in head.modalities], dim=1)
    weights = head(features, present).weights
    assert (weights >= 0).all()
    assert (weights[~mask] == 0).all()
    assert torch.allclose(weights.sum(dim=1), mask.any(dim=1).float(), atol=1e-6)


def check_rows_do_not_meet(head: Head) -> None:
    features, present = data(head)
    together = head(features, present)
    for row in range(8):
        alone = head(take(features, torch.tensor([row])), take(present, torch.tensor([row])))
        assert same(alone, HeadOutput(*(part[row : row + 1] for part in together))), f"row {row} alone"
    order = torch.tensor([5, 2, 7, 0, 1, 6, 4, 3])
    shuffled = head(take(features, order), take(present, order))
    assert same(shuffled, HeadOutput(*(part[order] for part in together))), "rows in another order"
    others, _ = data(head, seed=2)
    mixed = {m: torch.cat([features[m][:4], 100 * others[m][4:]]) for m in features}
    assert same(HeadOutput(*(p[:4] for p in head(mixed, present))), HeadOutput(*(p[:4] for p in together))), "company"


def check_order_of_dicts(head: Head) -> None:
    features, present = data(head)
    turned = head(dict(reversed(features.items())), dict(reversed(present.items())))
    assert same(turned, head(features, present), tolerance=0)


def check_absent_is_inert(head: Head) -> None:
    """Outputs and gradients are the same whatever an absent row holds: huge, NaN or infinite."""
    features, present = data(head)
    results = []
    for filler in (0.0, 1e30, torch.nan, torch.inf):
        filled = {
            m: torch.where(present[m].view(-1, *[1] * (x.ndim - 1)), x, filler).requires_grad_()
            for m, x in features.items()
        }
        head.zero_grad()
        out = head(filled, present)
        (out.logits.square().sum() + out.embedding.sum()).backward()
        gradients = [p.grad.clone() for p in head.parameters() if p.grad is not None]
        gradients += [filled[m].grad[present[m]] for m in filled]
        assert all((filled[m].grad[~present[m]] == 0).all() for m in filled), "gradient into an absent row"
        results.append((out, gradients))
    for out, gradients in results[1:]:
        assert same(out, results[0][0], tolerance=0)
        assert all(torch.equal(x, y) for x, y in zip(gradients, results[0][1], strict=True))


def check_each_modality_matters(head: Head) -> None:
    features, present = data(head)
    present = everything(present)
    base = head(features, present).logits
    for modality in head.modalities:
        changed = head({**features, modality: features[modality].flip(-1)}, present).logits
        assert ((changed - base).abs().amax(dim=1) > 1e-4).all(), f"{modality} changes nothing"


def check_gradient_reaches_all(head: Head) -> None:
    features, present = data(head)
    out = head(features, everything(present))
    head.zero_grad()
    nn.functional.cross_entropy(out.logits, torch.arange(8) % CLASSES).backward()
    idle = [name for name, p in head.named_parameters() if p.grad is None or not (p.grad != 0).any()]
    assert not idle, f"no gradient reaches {idle}"


def check_kind_of_vectors(head: Head) -> None:
    features, present = data(head)
    wrong_kind = {m: x.mean(dim=1) if head.needs_sequences else x[:, None] for m, x in features.items()}
    with pytest.raises(InputError, match="pooled") as caught:
        head(wrong_kind, present)
    assert len(caught.value.problems) == len(head.dims), "all modalities at once"
    with pytest.raises(InputError, match="expected"):
        head({m: x[..., :-1] for m, x in features.items()}, present)
    with pytest.raises(InputError, match="got nothing"):
        head({}, present)


def check_save_and_load(head: Head, again: Head, path: Path) -> None:
    features, present = data(head)
    with torch.no_grad():
        for parameter in again.parameters():
            parameter.zero_()
    save_file(head.state_dict(), path)
    again.load_state_dict(load_file(path))
    assert same(again.eval()(features, present), head.eval()(features, present), tolerance=0)


CHECKS = [
    check_shapes,
    check_weights,
    check_rows_do_not_meet,
    check_order_of_dicts,
    check_absent_is_inert,
    check_each_modality_matters,
    check_gradient_reaches_all,
    check_kind_of_vectors,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_contract(build: Callable[..., Head], dims: dict[str, int], check: Callable[[Head], None]) -> None:
    check(make(build, dims))


def test_save_and_load(build: Callable[..., Head], dims: dict[str, int], tmp_path: Path) -> None:
    check_save_and_load(make(build, dims), make(build, dims), tmp_path / "head.safetensors")


def test_no_batch_statistics(build: Callable[..., Head], dims: dict[str, int]) -> None:
    kinds = {type(module).__name__ for module in make(build, dims).modules()}
    assert not {kind for kind in kinds if "BatchNorm" in kind or "InstanceNorm" in kind}


def test_single_rows_learn(build: Callable[..., Head], dims: dict[str, int]) -> None:
    """A row of each pattern of presence but the empty one is learnt by heart: the way to the logits is open."""
    head = make(build, dims)
    features, present = data(head)
    keep = torch.stack(list(present.values())).any(dim=0).nonzero().squeeze(1)
    features, present, targets = take(features, keep), take(present, keep), torch.arange(len(keep)) % CLASSES
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    for _ in range(300):
        logits = head(features, present).logits
        if (logits.argmax(dim=1) == targets).all():
            return
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, targets).backward()
        optimizer.step()
    pytest.fail(f"predicts {logits.argmax(dim=1).tolist()} for {targets.tolist()}")


def test_configs_are_there() -> None:
    assert {"concat", "gated", "late"} <= {path.stem for path in CONFIGS}


# broken heads: each property is able to fail --------------------------------------------------------------------


class Broken(Head):
    """Does everything wrong that `fault` names, and the rest right."""

    def __init__(self, *, dims: Mapping[str, int], num_classes: int, fault: str) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        self.fault = fault
        self.layers = nn.ModuleDict({m: nn.Linear(d, 8) for m, d in dims.items()})
        self.classify = nn.Linear(8, num_classes)
        self.idle = nn.Linear(2, 2)

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        hidden = torch.zeros(len(next(iter(present.values()))), 8)
        for m in features if self.fault == "order" else self.dims:
            if self.fault == "multiplied mask":
                hidden = hidden + self.layers[m](features[m]) * present[m][:, None]
            elif self.fault == "leak" or (self.fault == "deaf" and m == "text"):
                hidden = hidden + self.layers[m](features[m].nan_to_num(0, 0, 0)) * float(self.fault == "leak")
            else:
                hidden = hidden + self.layers[m](torch.where(present[m][:, None], features[m], 0.0))
            if self.fault == "order":
                hidden = hidden.tanh()
        if self.fault == "across the batch":
            hidden = torch.softmax(hidden @ hidden.T, dim=-1) @ hidden
        mask = torch.stack(list(present.values()), dim=1).float()
        return HeadOutput(
            self.classify(hidden), hidden, mask if self.fault == "weights" else mask / mask.sum(1)[:, None]
        )


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("multiplied mask", check_absent_is_inert),
        ("leak", check_absent_is_inert),
        ("deaf", check_each_modality_matters),
        ("order", check_order_of_dicts),
        ("across the batch", check_rows_do_not_meet),
        ("weights", check_weights),
        ("idle parameters", check_gradient_reaches_all),
        ("weights of nothing", check_shapes),
    ],
)
def test_broken_heads_are_caught(fault: str, check: Callable[[Head], None]) -> None:
    torch.manual_seed(0)
    with pytest.raises(AssertionError):
        check(Broken(dims={"speech": 11, "text": 7}, num_classes=CLASSES, fault=fault))
