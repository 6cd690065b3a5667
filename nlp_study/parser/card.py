"""`write_card(folder, figures)`: the model card of `models/id_ud_sm`, every figure from the measurement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PUBLISHED = {
    "gsd": {"words": 99.49, "sentences": 93.04, "upos": 94.35, "xpos": 93.95, "feats": 95.55, "lemmas": 98.14},
    "csui": {"words": 99.45, "sentences": 91.01, "upos": 95.93, "xpos": 96.06, "feats": 96.70, "lemmas": 98.26},
}
"""UDPipe 2, models 2.17-251125, from raw text, as its documentation's table of model performance has them."""
PUBLISHED_TREES = {"gsd": {"uas": 87.65, "las": 81.91}, "csui": {"uas": 86.10, "las": 81.65}}
_NAMES = {
    "words": "words",
    "sentences": "sentences",
    "upos": "UPOS",
    "feats": "features (UFeats)",
    "lemmas": "lemmas, exact",
    "lemmas_lower": "lemmas, lower case",
    "uas": "UAS",
    "las": "LAS",
}
_TEMPLATE = Path(__file__).with_name("card.md")


def write_card(folder: Path, figures: dict[str, Any]) -> Path:
    """Write `README.md` into a model's folder.

    Parameters
    ----------
    figures : what `measure` found, with `training`.

    Returns
    -------
    The card's path.
    """
    rows = {
        "TREEBANKS": _treebank_table(figures),
        "LEMMAS": _lemma_table(figures),
        "ENTITIES": _entity_table(figures["entities"]),
        "SIZE": f"{folder_size(folder) / 1e6:.1f}",
        "TRAINED": _trained(figures["training"]),
        "VECTORS": f"{figures['training']['vectors']:,}",
        "STRICT": f"{100 * figures['csui']['strict_las']:.1f}",
    }
    text = _TEMPLATE.read_text(encoding="utf-8")
    for name, value in rows.items():
        text = text.replace(f"@{name}@", value)
    card = folder / "README.md"
    card.write_text(text, encoding="utf-8")
    return card


def folder_size(folder: Path) -> int:
    """Return the bytes of all files of a model."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _treebank_table(figures: dict[str, Any]) -> str:
    lines = [
        "| | GSD test, raw text | UDPipe 2 | GSD test, gold words | CSUI test, raw text | UDPipe 2 | CSUI test, gold words |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, name in _NAMES.items():
        cells = []
        for treebank in ("gsd", "csui"):
            published = {**PUBLISHED[treebank], **PUBLISHED_TREES[treebank]}.get(key)
            cells += [
                f"{100 * figures[treebank]['raw'][key]:.1f}",
                f"{published:.1f}" if published else "",
                f"{100 * figures[treebank]['gold_words'][key]:.1f}",
            ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _lemma_table(figures: dict[str, Any]) -> str:
    lines = ["| gold words, lower case | GSD test | CSUI test |", "|---|---|---|"]
    ours = [figures[t]["gold_words"]["lemmas_lower"] for t in ("gsd", "csui")]
    lines.append("| this model | " + " | ".join(f"{100 * value:.1f}" for value in ours) + " |")
    for peer in figures["csui"]["lemma_peers"]:
        values = [figures[t]["lemma_peers"][peer] for t in ("gsd", "csui")]
        lines.append(f"| {peer} | " + " | ".join(f"{100 * value:.1f}" for value in values) + " |")
    return "\n".join(lines)


def _entity_table(entities: dict[str, Any]) -> str:
    lines = ["| | F1 |", "|---|---|"]
    lines += [f"| {label} | {100 * value:.1f} |" for label, value in entities["by_label"].items()]
    lines.append(
        f"| all | **{100 * entities['f1']:.1f}** (precision {100 * entities['precision']:.1f}, "
        f"recall {100 * entities['recall']:.1f}, {entities['n']} entities) |"
    )
    return "\n".join(lines)


def _trained(training: dict[str, Any]) -> str:
    gold = training["gold_words"]
    return (
        f"{gold['gsd']:,} words of GSD, {gold['csui']:,} of CSUI and {gold['pud']:,} of PUD, "
        f"{training['silver_words']:,} words of running text labelled by the teacher; seed {training['seed']}"
    )
