"""The Gaussian process of stancemining, run on simulated posts without its parts for language models."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
import warnings
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import numpy as np

from scripts.simulated_corpora import N_MONTHS, count_confusion

PEERS = (
    "pip install --no-deps --target DIR ppi-python==0.2.3 statsmodels patsy stancemining==0.2.0 gpytorch==1.15 "
    "linear_operator==0.6.1 jaxtyping polars polars-runtime-32 pyro-ppl pyro-api opt-einsum"
)


def load_stancemining() -> Any:
    """Return stancemining's module of trends, without its parts for language models; None if it is not installed."""
    spec = importlib.util.find_spec("stancemining")
    if spec is None or not spec.submodule_search_locations:
        return None
    package, labels, main_module = (ModuleType(f"stancemining{part}") for part in ("", ".finetune", ".main"))
    package.__path__ = list(spec.submodule_search_locations)
    labels.LABELS_2_ID = {"neutral": 0, "favor": 1, "against": 2}  # type: ignore[attr-defined]
    main_module.logger = logging.getLogger("stancemining")  # type: ignore[attr-defined]
    for module in (package, labels, main_module):
        sys.modules[module.__name__] = module
    warnings.filterwarnings("ignore")
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # compiling its model takes longer than running it
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():  # it moves its model to a GPU, whether there is one or not
        torch.nn.Module.cuda = torch.Tensor.cuda = lambda self: self
    return importlib.import_module("stancemining.estimate")


def run_stancemining(
    peer: Any, decided: np.ndarray, stances: np.ndarray, months: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return low, middle and high of the share of favor in each month, as its Gaussian process has it."""
    polars, torch = importlib.import_module("polars"), importlib.import_module("torch")
    from scipy.special import ndtr

    torch.manual_seed(seed)
    confusion = count_confusion(stances, decided)  # favor, against, neutral; theirs: neutral, favor, against
    order = [2, 0, 1]
    profiles = peer._get_classifier_profiles(confusion_matrix=confusion[np.ix_(order, order)].tolist())
    first = datetime(2023, 1, 1)
    times = [first + timedelta(days=30.4 * float(month) + 15) for month in months]
    frame = polars.DataFrame(
        {"Target": ["t"] * len(times), "Stance": np.array([1.0, -1.0, 0.0])[decided], "createtime": times}
    )
    line, settings = peer.infer_stance_trends_for_target(frame, "t", [], classifier_profiles=profiles)
    days = np.array([(day - first.date()).days for day in line["createtime"].to_list()])
    index = (days / 30.4).astype(int).clip(0, N_MONTHS - 1)
    ends = []
    for column in ("trend_lower", "trend_mean", "trend_upper"):
        daily = 1 - ndtr((0.5 - line[column].to_numpy()) / settings[-1]["sigma"])
        ends.append(np.array([daily[index == month].mean() for month in np.unique(index)]))
    return ends[0], ends[1], ends[2]
