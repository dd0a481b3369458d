"""The machine: versions of what is installed, processor, GPUs and their memory, free disk."""

from __future__ import annotations

import os
import platform
import shutil
from collections import defaultdict
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from rich.filesize import decimal

from extractors.diagnosis.finding import Finding, Status

DISTRIBUTION = "emofuse"
# the packages that decide numbers, or that people ask about first
SHOWN = (
    "torch",
    "funasr",
    "modelscope",
    "sentence-transformers",
    "pytorch-lightning",
    "hydra-core",
    "lancedb",
    "soundfile",
    "soxr",
)
LITTLE_GPU_MEMORY = 2_000_000_000  # bytes; the large speech model and a pack of clips
LITTLE_DISK = 5_000_000_000  # bytes; the large speech model is 2 GB, and is unpacked beside its download
NO_DISK = 200_000_000  # bytes; a run's own files would not fit


def check_versions() -> list[Finding]:
    """Emofuse, Python, and whether every package that Emofuse requires is there in a version that fits."""
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    try:
        own = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return [Finding("Emofuse", "warn", f"not installed as a package; {python}", "Run: pip install -e .")]
    versions = {requirement: _installed(requirement.name) for requirement in _required()}
    amiss = [
        (requirement, found)
        for requirement, found in versions.items()
        if found is None or not requirement.specifier.contains(found, prereleases=True)
    ]
    by_name = {requirement.name: found for requirement, found in versions.items()}
    known = ", ".join(f"{name} {by_name[name]}" for name in SHOWN if by_name.get(name))
    problems = [f"{requirement}: {found or 'not'} installed" for requirement, found in amiss]
    todo = "Run: pip install " + " ".join(f"'{requirement}'" for requirement, _ in amiss) if amiss else ""
    said = "\n".join([*problems, known]) if amiss else f"all {len(versions)} as required: {known}"
    details = {"versions": by_name, "problems": problems}
    return [
        Finding("Emofuse", "ok", f"{own}, {python}", details={"version": own, "python": platform.python_version()}),
        Finding("packages", "fail" if amiss else "ok", said, todo, details),
    ]


def _required() -> list[Requirement]:
    """What Emofuse requires on this machine, extras apart."""
    found = map(Requirement, metadata.requires(DISTRIBUTION) or [])
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_processor() -> list[Finding]:
    """Cores that this process may use, the machine's memory, and the threads that torch will use."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    threads = torch.get_num_threads()
    found = f"{_count(cores, 'core')}, {decimal(memory)} memory; torch computes with {_count(threads, 'thread')}"
    todo = ""
    if threads > cores:
        todo = f"More threads than cores are slow: set OMP_NUM_THREADS={cores}."
    details = {"cores": cores, "memory": memory, "torch_threads": threads}
    return [Finding("processor", "warn" if todo else "ok", found, todo, details)]


def check_cuda() -> list[Finding]:
    """Each GPU with its memory; or why there is none, where one seems to be built in."""
    import torch

    build = f"torch {torch.__version__}"
    if not torch.cuda.is_available():
        details: dict[str, Any] = {"available": False, "torch_cuda": torch.version.cuda}
        if not _has_nvidia():
            return [
                Finding("CUDA", "ok", "no GPU here; everything runs on the processor, only slower", details=details)
            ]
        if torch.version.cuda is None:
            todo = "Install torch's CUDA build, as its own site says for your system."
            return [Finding("CUDA", "warn", f"an NVIDIA GPU is here, but {build} cannot use one", todo, details)]
        todo = f"Look at `nvidia-smi`: the driver must be there and fit CUDA {torch.version.cuda}."
        return [Finding("CUDA", "warn", f"an NVIDIA GPU is here, but {build} does not reach it", todo, details)]
    findings = []
    for number in range(torch.cuda.device_count()):
        name = torch.cuda.get_device_name(number)
        major, minor = torch.cuda.get_device_capability(number)
        free, total = torch.cuda.mem_get_info(number)
        todo = "Another program holds its memory: `nvidia-smi` shows which." if free < LITTLE_GPU_MEMORY else ""
        found = f"{name}, {decimal(free)} of {decimal(total)} memory free; CUDA {torch.version.cuda}, sm_{major}{minor}"
        details = {"name": name, "free": free, "total": total, "capability": [major, minor], "cuda": torch.version.cuda}
        findings.append(Finding(f"CUDA, GPU {number}", "warn" if todo else "ok", found, todo, details))
    return findings


def check_disk(places: Mapping[str, Path]) -> list[Finding]:
    """Free space of each file system that one of `places` (name -> path, which need not exist yet) lies on.

    >>> [finding] = check_disk({"run folders": Path("."), "store": Path("./not/there/yet")})
    >>> finding.check, "for run folders, store" in finding.found
    ('free disk', True)
    """
    shared: defaultdict[int, list[str]] = defaultdict(list)
    folders: dict[int, Path] = {}
    for name, path in places.items():
        folder = nearest_existing(path)
        device = folder.stat().st_dev
        shared[device].append(name)
        folders[device] = folder
    findings = []
    for device, names in shared.items():
        usage = shutil.disk_usage(folders[device])
        found = f"{decimal(usage.free)} of {decimal(usage.total)} free for {', '.join(names)}"
        todo = "Make room: the large speech model alone takes 2 GB." if usage.free < LITTLE_DISK else ""
        status: Status = "fail" if usage.free < NO_DISK else "warn" if todo else "ok"
        details = {"free": usage.free, "total": usage.total, "for": names}
        findings.append(Finding("free disk", status, found, todo, details))
    return findings


def nearest_existing(path: Path) -> Path:
    """`path`, or the closest of its parents that exists."""
    path = path.expanduser().absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _has_nvidia() -> bool:
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)
