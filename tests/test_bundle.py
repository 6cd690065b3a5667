"""What leaves a study: not five words of a post, no title, no name; equal bytes for equal studies; damage is found."""

from __future__ import annotations

import csv
import io
import json
import re
import socket
import zipfile
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlp_study.bundle.datasheet import NOT_STATED, OPEN
from nlp_study.bundle.dehydrate import SHARED_COLUMNS, cut_address, export_dehydrated, make_dehydrated
from nlp_study.bundle.environment import describe_environment, write_requirements
from nlp_study.bundle.pack import clean_settings, clean_study_file, collect_files, pack_files, read_bundle, write_bundle
from nlp_study.bundle.verify import Verdict, is_reproduced, verify_bundle
from nlp_study.errors import DataError
from nlp_study.labels import read_label_file
from nlp_study.schema import TIMEZONE, Label, TableName, table_specs
from nlp_study.store import open_corpus

from .label_study import TARGET, make_label_study, write


@pytest.fixture
def made(tmp_path):
    """A study whose posts have addresses of the site, tags, biographies, sentences as evidence."""
    study, corpus = make_label_study(tmp_path / "study", extra='[crawl]\ncontact = "rahasia@kampus.ac.id"\n')
    posts = corpus.read(TableName.POSTS).to_pylist()
    for row in posts:
        slug = "-".join(row["title"].lower().split())
        row["url"] = f"https://www.kompasiana.com/{row['author_id']}/{row['post_id']}/{slug}"
        row["author_bio"] = "Ibu dua anak yang gemar menulis tentang pasar"
        row["tags"] = ["oleh oleh khas kampung halaman kami"]
        row["caption"] = "Foto koleksi pribadi dari sudut pasar lama"
    write(corpus, TableName.POSTS, posts)
    evidence = [
        {
            "post_id": row["post_id"],
            "target": TARGET,
            "rank": 0,
            "sentence": row["paragraphs"][0]["text"],
            "weight": 0.4,
        }
        for row in posts
    ]
    write(corpus, TableName.EVIDENCE, evidence)
    return study, corpus


def words(text):
    return re.findall(r"\w+", text.lower())


def read_everything(folder):
    """All that the files of a folder say, as one text: Parquet cell by cell, the rest as it is."""
    parts = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            parts += [json.dumps(row, default=str, ensure_ascii=False) for row in pq.read_table(path).to_pylist()]
            parts.append(pq.read_schema(path).to_string())
        elif path.is_file():
            parts.append(path.read_text(encoding="utf-8"))
    return "\n".join(parts)


def assert_nothing_leaks(corpus, content):
    said = words(content)
    runs = {tuple(said[i : i + 5]) for i in range(len(said) - 4)}
    folded = content.lower()
    together = " ".join(said)
    for row in corpus.fetch(
        "SELECT title, text, author, author_id, author_bio, caption, tags, url FROM posts"
    ).to_pylist():
        for text in (row["text"], row["author_bio"], row["caption"], *row["tags"]):
            found = words(text)
            assert len(found) >= 5
            assert not any(tuple(found[i : i + 5]) in runs for i in range(len(found) - 4)), text
        assert " ".join(words(row["title"])) not in together
        assert row["author"].lower() not in folded and row["url"].lower() not in folded
        assert re.search(rf"(?<!\w){row['author_id']}(?!\w)", folded) is None


def test_nothing_of_a_post_leaves_with_the_dehydrated_set(made, tmp_path):
    study, corpus = made
    counts = export_dehydrated(study, corpus, tmp_path / "out")
    assert set(counts.files) == {path.name for path in (tmp_path / "out").iterdir()}
    assert_nothing_leaks(corpus, read_everything(tmp_path / "out"))
    with pytest.raises(AssertionError):  # the check itself finds what it looks for
        assert_nothing_leaks(corpus, corpus.fetch("SELECT text FROM posts LIMIT 1")["text"][0].as_py())


def test_nothing_of_a_post_leaves_with_the_bundle(made, tmp_path):
    study, corpus = made
    write_bundle(study, corpus, tmp_path / "b.zip", study_file=study.root / "study.toml")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        archive.extractall(tmp_path / "b")
    content = read_everything(tmp_path / "b")
    assert_nothing_leaks(corpus, content)
    assert "rahasia@kampus" not in content and str(tmp_path) not in content
    assert re.search(rf"\b{re.escape(socket.gethostname())}\b", content) is None


def test_the_tables_of_the_dehydrated_set(made, tmp_path):
    study, corpus = made
    counts = export_dehydrated(study, corpus, tmp_path / "out")
    assert counts.rows == {
        "posts": 48, "labels": 48, "predictions": 48, "duplicates": 0, "topics": 3, "topic_assignments": 48,
        "evaluations": 48, "trends": 3,
    }  # fmt: skip
    posts = pq.read_table(tmp_path / "out/posts.parquet").to_pylist()
    assert len({row["author_id"] for row in posts}) == 12 and all(len(row["author_id"]) == 16 for row in posts)
    assert posts[0]["month"] == str(posts[0]["published_on"])[:7] and "address" not in posts[0]
    with (tmp_path / "out/posts.csv").open(encoding="utf-8", newline="") as file:
        assert [row["post_id"] for row in csv.DictReader(file)] == [row["post_id"] for row in posts]
    labels = [row for row in read_label_file(tmp_path / "out/labels.csv") if isinstance(row, Label)]
    assert len(labels) == 48 and {label.annotator for label in labels} != {"a1"}, "it can serve as a label file"
    groups = pq.read_table(tmp_path / "out/evaluations.parquet")["group"].to_pylist()
    assert len(set(groups)) == 12 and not any("penulis" in group for group in groups)
    with_addresses = make_dehydrated(study, corpus, with_addresses=True)["posts"]["address"].to_pylist()
    assert with_addresses[0] == f"https://www.kompasiana.com/penulis0/{posts[0]['post_id']}"
    assert cut_address("https://example.org/a/b") is None and cut_address(None) is None


def test_every_shared_column_is_one_of_the_tables():
    made_here = {"posts": {"month", "published_on"}}
    hidden = {"text", "title", "author", "url", "paragraphs", "tags", "caption", "sentence", "author_bio", "source"}
    for name, columns in SHARED_COLUMNS.items():
        assert not hidden & set(columns), name
    for name in SHARED_COLUMNS:
        known = set(table_specs()[TableName(name)].schema.names) | made_here.get(name, set())
        assert set(SHARED_COLUMNS[name]) <= known, name


def test_datasheet_readme_and_metadata(made, tmp_path):
    study, corpus = made
    export_dehydrated(study, corpus, tmp_path / "a", licence="CC BY 4.0")
    sheet = (tmp_path / "a/DATASHEET.md").read_text(encoding="utf-8")
    for heading in ("Motivation", "Composition", "Collection process", "Uses", "Distribution", "Maintenance"):
        assert f"## {heading}" in sheet
    assert "48 posts by 12 authors, published 2024-01-01 to 2024-05-" in sheet and "This set: CC BY 4.0" in sheet
    assert "favor 16" in sheet and "model `model-a`" in sheet and OPEN in sheet and "macro-F1 0." in sheet
    metadata = json.loads((tmp_path / "a/metadata.json").read_text(encoding="utf-8"))
    assert metadata["@type"] == "Dataset" and metadata["license"] == "CC BY 4.0" and len(metadata["distribution"]) == 16
    readme = (tmp_path / "a/README.md").read_text(encoding="utf-8")
    assert "Pseudonymous is not anonymous" in readme and not re.search(r"\| `\w+` \|  \|", readme), (
        "every column explained"
    )
    export_dehydrated(study, corpus, tmp_path / "b", licence="CC BY 4.0")
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    export_dehydrated(study, corpus, tmp_path / "b")
    assert f"This set: {NOT_STATED}" in (tmp_path / "b/DATASHEET.md").read_text(encoding="utf-8")


def test_an_empty_study_exports_nothing(made, tmp_path):
    study, _ = made
    with pytest.raises(DataError, match="no posts to export"):
        make_dehydrated(study, open_corpus(tmp_path / "leer"))


def test_study_files_lose_people_and_folders():
    text = 'a = "x/y"\npath = "/home/ani/korpus"\n[crawl]\ncontact = "a@b.id"  # me\nfolder = \'~/w\'\np = "C:\\\\d\\\\e"\n'
    cleaned = clean_study_file(text)
    assert cleaned == 'a = "x/y"\npath = "korpus"\n[crawl]\ncontact = ""\nfolder = \'w\'\np = "e"\n'
    settings = {"paths": {"data": "/srv/a/data"}, "crawl": {"contact": "x", "delay_s": 2}, "n": [1, "/a/b"]}
    assert clean_settings(settings) == {
        "paths": {"data": "data"},
        "crawl": {"contact": "", "delay_s": 2},
        "n": [1, "b"],
    }


def test_environment():
    found = describe_environment()
    assert found["packages"]["pyarrow"] == pa.__version__ and "node" not in found
    assert write_requirements({"torch": "2.13.0+cpu", "nlp-study": "0.1", "a": "1"}) == "a==1\ntorch==2.13.0\n"


def test_bundles_are_deterministic_and_checked(made, tmp_path):
    study, corpus = made
    first = write_bundle(study, corpus, tmp_path / "a.zip", study_file=study.root / "study.toml")
    write_bundle(study, corpus, tmp_path / "b.zip", study_file=study.root / "study.toml")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    files = read_bundle(tmp_path / "a.zip")
    assert set(files) == set(first) and "labels.csv" in files
    assert len(list(csv.DictReader(io.StringIO(files["labels.csv"].decode())))) == 48
    assert json.loads(files["records/posts.json"])["n_rows"] == 48
    damaged = pack_files({**files, "study.toml": b"[study]\n"})
    (tmp_path / "c.zip").write_bytes(damaged)
    with pytest.raises(DataError, match=r"damaged or was changed: study\.toml"):
        read_bundle(tmp_path / "c.zip")
    (tmp_path / "d.zip").write_bytes(pack_files({**files, "more.txt": b""}))
    with pytest.raises(DataError, match=r"more\.txt"):
        read_bundle(tmp_path / "d.zip")
    (tmp_path / "e.zip").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="is no bundle of a study"):
        read_bundle(tmp_path / "e.zip")
    later = json.loads(files["MANIFEST.json"]) | {"format": 99}
    (tmp_path / "f.zip").write_bytes(pack_files({**files, "MANIFEST.json": json.dumps(later).encode()}))
    with pytest.raises(DataError, match="newer nlp-study"):
        read_bundle(tmp_path / "f.zip")


def verdicts(checks):
    return {check.name: check.verdict for check in checks if check.kind == "outcome"}


def test_a_rerun_in_another_folder_is_reproduced_and_a_changed_one_is_not(made, tmp_path):
    study, corpus = made
    bundle = tmp_path / "b.zip"
    write_bundle(study, corpus, bundle, study_file=study.root / "study.toml")
    other, rerun = make_label_study(tmp_path / "other")
    rows = corpus.read(TableName.POSTS).to_pylist()
    write(rerun, TableName.POSTS, rows)
    checks = verify_bundle(bundle, other, rerun)
    found = verdicts(checks)
    assert found.pop("evidence") is Verdict.MISSING and found.pop("pages") is Verdict.EQUAL
    assert set(found.values()) == {Verdict.EQUAL} and is_reproduced(checks)
    assert (corpus.folder / "privacy.key").read_text() != (rerun.folder / "privacy.key").read_text()

    evaluations = rerun.read(TableName.EVALUATIONS).to_pylist()
    moved = [{**row, "proba_favor": row["proba_favor"] + 2e-4} for row in evaluations]
    write(rerun, TableName.EVALUATIONS, moved)
    checks = verify_bundle(bundle, other, rerun)
    close = next(check for check in checks if check.name == "evaluations" and check.kind == "outcome")
    assert close.verdict is Verdict.CLOSE and close.note == "numbers differ by at most 0.0002" and is_reproduced(checks)

    predictions = rerun.read(TableName.PREDICTIONS).to_pylist()
    predictions[0]["stance"] = "neutral" if predictions[0]["stance"] != "neutral" else "favor"
    write(rerun, TableName.PREDICTIONS, predictions[:-1])
    checks = verify_bundle(bundle, other, rerun)
    note = next(check.note for check in checks if check.name == "predictions" and check.kind == "outcome")
    assert note == "1 removed; 1 changed: stance (1)" and not is_reproduced(checks)

    assert {c.verdict for c in checks if c.kind in ("input", "code")} == {Verdict.EQUAL}
    for name in (TableName.POSTS, TableName.LABELS, TableName.PAGES):
        record = rerun.record(name)
        rerun.write(name, rerun.read(name), replace(record, fingerprint={"file posts.jsonl": "cd"}))
    explained = {(c.kind, c.name): c.verdict for c in verify_bundle(bundle, other, rerun)}
    assert explained["input", "posts.jsonl"] is Verdict.DIFFERENT and explained["code", "import"] is Verdict.MISSING


def test_versions_of_the_run_count_not_those_of_today(made):
    study, corpus = made
    record = corpus.record(TableName.PREDICTIONS)
    old = replace(record, versions={"torch": "1.0.0"}, started_at="2026-01-01T00:00:00+00:00")
    corpus.write(TableName.PREDICTIONS, corpus.read(TableName.PREDICTIONS), old)
    files = collect_files(study, corpus, study_file=study.root / "study.toml")
    assert json.loads(files["environment.json"])["packages"]["torch"] == "1.0.0"
    assert "torch==1.0.0\n" in files["requirements.txt"].decode()


def test_labels_of_a_bundle_stand_in_for_the_label_files(made, tmp_path):
    from nlp_study.sources import import_study_sources

    study, corpus = made
    labels = corpus.read(TableName.LABELS).to_pylist()
    for i, row in enumerate(labels):
        row |= {"labelled_at": datetime(2026, 3, 1 + i % 9, 23, 30, tzinfo=TIMEZONE), "sampling_proba": 0.25}
    write(corpus, TableName.LABELS, labels)
    files = collect_files(study, corpus, study_file=study.root / "study.toml")
    (tmp_path / "b.zip").write_bytes(pack_files(files))
    other, rerun = make_label_study(tmp_path / "other")
    (other.root / "labels.csv").write_bytes(files["labels.csv"])
    import_study_sources(other, rerun, rerun.record(TableName.LABELS))
    check = next(
        c for c in verify_bundle(tmp_path / "b.zip", other, rerun) if (c.kind, c.name) == ("outcome", "labels")
    )
    assert (check.verdict, check.note) == (Verdict.EQUAL, "the same rows"), "annotators aside"
