"""What a study ran on: versions of Python and packages and the kind of machine, without its name, user or paths."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import distributions
from typing import Any


def describe_environment() -> dict[str, Any]:
    """Return Python, system, processor kind, number of cores, GPU if there is one, and every installed package."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "cores": os.cpu_count(),
        "gpu": _find_gpu(),
        "packages": list_packages(),
    }


def list_packages() -> dict[str, str]:
    """Return the version of each installed package, names in lower case."""
    found = {}
    for package in distributions():
        name = package.metadata["Name"]
        if name:
            found[name.lower()] = package.version
    return dict(sorted(found.items()))


def write_requirements(packages: dict[str, str]) -> str:
    """Return the packages as a constraints file; local tags such as `+cpu` are left out, so that pip finds the versions."""
    return "".join(
        f"{name}=={version.split('+')[0]}\n" for name, version in sorted(packages.items()) if name != "nlp-study"
    )


def _find_gpu() -> str:
    """The GPU's model, if torch is loaded and sees one; torch is not loaded for this."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ""
    return str(torch.cuda.get_device_name(0))
