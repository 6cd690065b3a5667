"""Train `models/id_ud_sm` from the treebanks and entity corpora beside the project, and write its card.

    python scripts/build_parser.py --data ../shared/data

Teacher, vectors, labelled sentences and the first stage are kept under `data/parser`; delete that folder to start from
nothing. `--compare` trains the variants that `docs/parser.md` reports instead (gold alone, and with the non-commercial
train part of UD 2.0).
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    """Read the options and build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "models" / "id_ud_sm")
    parser.add_argument("--work", type=Path, default=REPOSITORY / "data" / "parser")
    parser.add_argument("--teacher-epochs", type=int, default=12)
    parser.add_argument("--silver-words", type=int, default=900_000, help="words of running text for the teacher")
    parser.add_argument("--gold-passes", type=float, default=8.0, help="times that gold is read first")
    parser.add_argument("--passes", type=float, default=4.0, help="times that gold and labelled text are read then")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compare", action="store_true", help="train and measure the variants, ship nothing")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from nlp_study.parser.build import build_parser, compare_variants
    from nlp_study.parser.card import write_card

    if options.compare:
        print(json.dumps(compare_variants(options.data, work_dir=options.work, seed=options.seed), indent=2))
        return
    figures = build_parser(
        options.data,
        options.output,
        work_dir=options.work,
        seed=options.seed,
        teacher_epochs=options.teacher_epochs,
        n_silver_words=options.silver_words,
        gold_passes=options.gold_passes,
        passes=options.passes,
    )
    write_card(options.output, figures)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
