"""What the stance reader knows before it saw a label of a real post, and whether its evidence is faithful.

Prints the area under the ROC curve of favor against `against` on real posts (id_stance, private data beside the project),
the accuracy on hard passages (`stance_invented`), and how much the probability of a decision falls when its top sentences, or
as many random ones, are taken out. `nlp-study evaluate --study corpus/id_stance.toml` prints the supervised figures.

    python scripts/bench_stance.py [--data ../shared/data] [--quick]
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from nlp_study.config import load_study
from nlp_study.encoders import load_encoder
from nlp_study.pipeline import find_stage, run_stage
from nlp_study.stance.explain import check_faithfulness
from nlp_study.stance.pairs import Pair, read_pairs
from nlp_study.stance.probe import fit_probe
from nlp_study.stance.reader import StanceReader, lean, load_reader, read_pairs_through
from nlp_study.store import open_corpus

REPOSITORY = Path(__file__).resolve().parent.parent


def read_leaning(reader: StanceReader, pairs: list[Pair], name: str) -> np.ndarray:
    """Return the lead of favor over against, shape (n_pairs,)."""
    with tqdm(total=len(pairs), desc=name, unit=" posts", leave=False) as bar:
        vectors = read_pairs_through(reader, pairs, progress=bar.update).vectors
    scores = lean(reader, vectors)
    if scores is None:
        raise SystemExit("the reader has no layer of its own")
    lead: np.ndarray = scores[:, 0] - scores[:, 1]
    return lead


def labelled_pairs(name: str) -> tuple[list[Pair], tuple[str, ...]]:
    """Import a study's sources into a folder that is thrown away, and return its labelled pairs."""
    study = load_study(REPOSITORY / "corpus" / name)
    with TemporaryDirectory() as scratch:
        corpus = open_corpus(Path(scratch))
        run_stage(find_stage("import"), study, corpus)
        return read_pairs(study, corpus, labelled=True), tuple(map(str, study.study.stances))


def hard_passages(data: Path) -> list[tuple[Pair, str]]:
    """Return the passages of `stance_invented` with their styles, favor and against only."""
    found = []
    for file in ("policies.jsonl", "pairs.jsonl"):
        for line in (data / "stance_invented" / file).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for target, stance in (row.get("stances") or {row["target"]: row["stance"]}).items():
                if stance in ("favor", "against"):
                    aliases = (target, *target.split())
                    pair = Pair(row["id"], target, target, row["text"], aliases, row["id"], stance)
                    found.append((pair, row["style"]))
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--quick", action="store_true", help="a sample of the posts")
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no data at {options.data}; name the folder with --data")
    reader = load_reader(load_encoder("e5-small-id"), name="e5-small-id-stance", window_tokens=256, window_overlap=32)
    step = 8 if options.quick else 1
    leads, golds = [], []
    for name in ("id_stance.toml", "id_stance_2018.toml"):
        pairs, stances = labelled_pairs(name)
        pairs = pairs[::step]
        decided = [pair for pair in pairs if pair.stance in ("favor", "against")]
        lead = read_leaning(reader, decided, name)
        gold = np.array([pair.stance == "favor" for pair in decided])
        print(f"{name}: AUC of favor against `against`, no label of these posts used: {roc_auc_score(gold, lead):.3f}")
        leads.append(lead)
        golds.append(gold)
        if len(stances) == 3:
            vectors = read_pairs_through(reader, pairs).vectors
            probe = fit_probe(vectors, pairs, stances, seed=1)
            found = check_faithfulness(reader, probe, pairs)
            print(
                f"{name}: taking out the 3 top sentences lowers the decided label by {found.top:.3f}, 3 random ones by "
                f"{found.random:.3f}; more in {found.wins:.0%} of {found.n_pairs} posts"
            )
    print(f"both: AUC {roc_auc_score(np.concatenate(golds), np.concatenate(leads)):.3f}")
    hard = hard_passages(options.data)[::step]
    right = (read_leaning(reader, [pair for pair, _ in hard], "hard passages") > 0) == np.array(
        [pair.stance == "favor" for pair, _ in hard]
    )
    print(f"hard passages, favor against `against`: accuracy {right.mean():.3f} of {len(hard)} (chance 0.5)")
    by_style = defaultdict(list)
    for (_, style), hit in zip(hard, right, strict=True):
        by_style[style].append(hit)
    for style, hits in sorted(by_style.items(), key=lambda item: -len(item[1]))[:8]:
        print(f"  {style}: {np.mean(hits):.2f} of {len(hits)}")


if __name__ == "__main__":
    main()
