"""A study made twice, by the real stages, in two folders."""

from __future__ import annotations

import shutil

from nlp_study.bundle.pack import write_bundle
from nlp_study.bundle.verify import Verdict, is_reproduced, verify_bundle
from nlp_study.config import load_study
from nlp_study.pipeline import run_stages
from nlp_study.store import open_corpus

STAGES = ("import", "deduplicate", "segment", "evaluate", "train", "classify", "trends")


def test_a_whole_study_made_again_elsewhere_is_the_same(make_study, tmp_path):
    """The real stages twice, from the same files, in two folders: every table is equal, models included."""
    path = make_study(n_posts=16, n_authors=8)
    shutil.copytree(path.parent, tmp_path / "again")
    made = []
    for file in (path, tmp_path / "again/study.toml"):
        study = load_study(file)
        corpus = open_corpus(study.data_dir)
        run_stages(study, corpus, only=STAGES)
        made.append((study, corpus))
    write_bundle(*made[0], tmp_path / "b.zip", study_file=path)
    checks = verify_bundle(tmp_path / "b.zip", *made[1])
    assert is_reproduced(checks), [check for check in checks if check.verdict is not Verdict.EQUAL]
    found = {check.name: check.verdict for check in checks if check.kind == "outcome"}
    assert found["predictions"] is found["evaluations"] is found["trends"] is Verdict.EQUAL
    assert {check.verdict for check in checks if check.kind in ("input", "setting", "code")} == {Verdict.EQUAL}
