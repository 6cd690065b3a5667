"""What annotators read, in Indonesian: the question, the labels with their hints, and the rules of work."""

from __future__ import annotations

import re
from pathlib import Path

from nlp_study.schema import Stance

CODEBOOK = "codebook.md"
"""Beside the label file: what the labels mean, as annotators are told."""
_VERSION = re.compile(r"\bVers(?:i|ion)\s+(\d+(?:\.\d+)*)")

QUESTION = "Setelah membaca seluruh pos: di mana penulis berdiri terhadap «{target}»?"
INSTRUCTION = (
    "Baca seluruh pos, dari judul sampai kalimat terakhir, sendirian, tanpa melihat label pembaca lain. Yang dinilai adalah "
    "penulis, bukan tokoh yang dikutip; keseluruhan pos, bukan nada satu paragraf. Pos yang tidak jelas diberi label yang "
    "paling mungkin, bukan dilewati. Kerjakan menurut urutan."
)
PREFILLED = "Label yang sudah terisi adalah tebakan mesin dan sering salah; putuskan sendiri sebelum melihatnya."

NAMES = {
    Stance.FAVOR: "Mendukung",
    Stance.AGAINST: "Menentang",
    Stance.NEUTRAL: "Netral",
    Stance.IRRELEVANT: "Tidak relevan",
}
HINTS = {
    Stance.FAVOR: "penulis mendukungnya, atau berpendapat bahwa itu nyata, berguna, pantas dibela",
    Stance.AGAINST: "penulis menolaknya, menyangkalnya, atau menilainya semu atau merugikan",
    Stance.NEUTRAL: "tentang itu, tetapi menimbang tanpa memihak, belum tahu, atau hanya memaparkan",
    Stance.IRRELEVANT: "tidak membahas itu, walaupun kata-katanya dipakai",
}
COLOURS = {
    Stance.FAVOR: "#1b7f5c",
    Stance.AGAINST: "#b3432b",
    Stance.NEUTRAL: "#6b7280",
    Stance.IRRELEVANT: "#9a8c5a",
}


def read_version(folder: Path) -> str | None:
    """Return the version that the codebook in a folder states (`Versi 1.0`), None where there is none."""
    found = _VERSION.search(_read_codebook(folder))
    return found[1] if found else None


def read_hints(folder: Path) -> dict[Stance, str]:
    """Return what each label means, from the first table of the codebook in a folder; general words where it has none."""
    content = _read_codebook(folder)
    hints = dict(HINTS)
    for stance in Stance:
        found = re.search(rf"^\|\s*`{stance}`\s*\|\s*(.+?)\s*\|\s*$", content, flags=re.MULTILINE)
        if found:
            hints[stance] = found[1]
    return hints


def _read_codebook(folder: Path) -> str:
    path = folder / CODEBOOK
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def read_stance(text: str) -> Stance | None:
    """Return the stance that a label of a tool means: the stance's own name or its Indonesian one, any case."""
    wanted = " ".join(text.casefold().split())
    for stance in Stance:
        if wanted in (str(stance), NAMES[stance].casefold()):
            return stance
    return None
