"""Training, saving, loading and classifying with the very code of `make train`, on a tiny BERT."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from nlp_study.config import StanceSettings, load_study
from nlp_study.encoders import load_encoder
from nlp_study.errors import ConfigError, DataError, ModelError
from nlp_study.schema import MODEL_EVALUATIONS, Stance, TableName
from nlp_study.sources import import_study_sources
from nlp_study.stance.baselines import fit_linear_head, predict_embedding, predict_majority, predict_tfidf
from nlp_study.stance.model import build_classifier, collate_windows, load_classifier, save_classifier
from nlp_study.stance.pairs import Pair, read_pairs
from nlp_study.stance.predict import pool_windows, predict_pairs
from nlp_study.stance.profiles import PROFILES, apply_profile
from nlp_study.stance.rates import freeze_layers, freeze_unread, parameter_groups
from nlp_study.stance.standalone import train_standalone
from nlp_study.stance.train import fit_classifier
from nlp_study.stance.tuning import _choose_precision, log_folder
from nlp_study.stance.windows import cut_windows
from nlp_study.store import RunRecord, open_corpus

STANCES = (Stance.FAVOR, Stance.AGAINST, Stance.NEUTRAL)
WORDS = {Stance.FAVOR: "untung maju", Stance.AGAINST: "rugi sepi", Stance.NEUTRAL: "warung kopi"}


def pairs(n=48, *, long=False):
    made = []
    for i in range(n):
        stance = STANCES[i % 3]
        text = f"pasar pagi {i % 7} {WORDS[stance]} hujan " * (20 if long else 3)
        made.append(Pair(f"p{i}", "pasar daring", "pasar daring", text, ("pasar daring",), f"author{i % 12}", stance))
    return made


SETTINGS = StanceSettings(
    epochs=3, learning_rate=1e-3, layer_decay=1.0, frozen_layers=0, batch_size=8, window_tokens=64, window_overlap=8
)


@pytest.fixture(scope="module")
def fitted(tiny_bert):
    return fit_classifier(pairs(), settings=SETTINGS, stances=STANCES, encoder=str(tiny_bert), seed=1)


def test_it_learns_what_is_there(fitted):
    model, history = fitted
    reading = predict_pairs(model, pairs())
    predicted = [STANCES[i] for i in reading.probas.argmax(1)]
    assert np.mean([a == b.stance for a, b in zip(predicted, pairs(), strict=True)]) > 0.9
    assert reading.probas.sum(1) == pytest.approx(1, abs=1e-5)
    assert history.n_labels == 48 and history.n_stopping > 0
    assert history.n_tokens_read == history.n_tokens_total > 0
    assert history.kept in ("tuned encoder", "linear head")


def test_same_seed_same_model(tiny_bert, fitted):
    again, _ = fit_classifier(pairs(), settings=SETTINGS, stances=STANCES, encoder=str(tiny_bert), seed=1)
    assert predict_pairs(again, pairs(6)).probas == pytest.approx(predict_pairs(fitted[0], pairs(6)).probas, abs=2e-2)


def test_save_load_classify(fitted, tmp_path):
    model, _ = fitted
    folder = tmp_path / "trained"
    save_classifier(folder, model, card="# card\n")
    loaded = load_classifier(folder)
    assert loaded.model_id == "trained" and loaded.stances == STANCES
    assert (
        loaded.config == model.config
        or json.loads((folder / "stance.json").read_text())["encoder"] == model.config.encoder
    )
    assert predict_pairs(loaded, pairs(9)).probas == pytest.approx(predict_pairs(model, pairs(9)).probas, abs=2e-2)
    assert (folder / "model.safetensors").is_file() and (folder / "README.md").read_text() == "# card\n"
    from transformers import AutoModel, AutoTokenizer

    assert AutoModel.from_pretrained(folder).config.hidden_size == 32
    assert AutoTokenizer.from_pretrained(folder).is_fast
    with pytest.raises(ModelError, match="never overwritten"):
        save_classifier(folder, model, card="")


@pytest.mark.parametrize("missing", ["stance.json", "head.safetensors", "model.safetensors", "config.json"])
def test_a_model_without_a_file_is_named(fitted, tmp_path, missing):
    folder = tmp_path / "trained"
    save_classifier(folder, fitted[0], card="")
    (folder / missing).unlink()
    with pytest.raises(ModelError) as caught:
        load_classifier(folder)
    assert caught.value.remedy and "trained" in str(caught.value)


def test_a_model_that_is_no_folder(tmp_path):
    with pytest.raises(ModelError, match="no stance model"):
        load_classifier(tmp_path / "nowhere")


def test_an_interrupted_save_leaves_nothing(fitted, tmp_path, monkeypatch):
    from nlp_study.stance import model as module

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_file", stop)
    with pytest.raises(KeyboardInterrupt):
        save_classifier(tmp_path / "trained", fitted[0], card="")
    assert list(tmp_path.iterdir()) == []


def test_long_posts_are_read_whole_and_say_so(fitted):
    reading = predict_pairs(fitted[0], pairs(4, long=True))
    assert (reading.n_windows > 1).all()
    assert (reading.n_tokens == reading.n_tokens_total).all()


def test_no_pairs_are_no_error(fitted):
    """A study whose posts are all labelled leaves nothing to the final model."""
    assert predict_pairs(fitted[0], []).probas.shape == (0, 3)


def test_the_order_of_pairs_and_padding_change_nothing(fitted):
    mixed = [*pairs(3), *pairs(3, long=True)]
    forward = predict_pairs(fitted[0], mixed).probas
    backward = predict_pairs(fitted[0], mixed[::-1]).probas[::-1]
    assert forward == pytest.approx(backward, abs=2e-2)


def test_pooling_is_the_mean_over_tokens_then_windows(tiny_bert):
    """The batched pooling equals a plain loop over windows."""
    encoder = load_encoder(str(tiny_bert))
    classifier = build_classifier(encoder, n_stances=3).eval()
    items = list(cut_windows([*pairs(1), *pairs(2, long=True)], encoder.tokenizer, window_tokens=64, overlap=8))
    batch = collate_windows(items, pad_token_id=encoder.tokenizer.pad_token_id)
    assert batch["input_ids"].shape[:2] == batch["window_mask"].shape == (3, max(len(i.encoded) for i in items))
    with torch.inference_mode():
        pooled = classifier.pool(**batch)
        for row, item in zip(pooled, items, strict=True):
            means = [
                encoder.model(**{k: torch.tensor([v]) for k, v in w.items()}).last_hidden_state[0].mean(0)
                for w in item.encoded
            ]
            assert torch.allclose(row, torch.stack(means).mean(0), atol=1e-5)
    assert pool_windows(classifier, items, encoder.tokenizer.pad_token_id) == pytest.approx(pooled.numpy(), abs=5e-2)


def test_frozen_layers_and_rates(tiny_bert):
    encoder = load_encoder(str(tiny_bert))
    classifier = build_classifier(encoder, n_stances=3)
    freeze_layers(classifier.encoder, 1)
    trained = {name for name, p in classifier.encoder.named_parameters() if p.requires_grad}
    assert any("layer.1." in name for name in trained) and not any(
        "layer.0." in name or "embeddings" in name for name in trained
    )
    classifier.encoder.pooler.requires_grad_(True)
    items = list(cut_windows(pairs(1), encoder.tokenizer, window_tokens=64, overlap=8))
    freeze_unread(classifier, collate_windows(items, pad_token_id=0, labels=[1]))
    assert trained == {name for name, p in classifier.encoder.named_parameters() if p.requires_grad}
    assert all(p.requires_grad and p.grad is None for p in classifier.head.parameters())
    freeze_layers(classifier.encoder, 0)
    assert not classifier.encoder.embeddings.word_embeddings.weight.requires_grad
    assert not any(p.requires_grad for p in classifier.encoder.pooler.parameters())  # nothing reads it
    groups = parameter_groups(classifier, learning_rate=1e-4, layer_decay=0.5)
    assert {round(group["lr"], 12) for group in groups[:-1]} >= {1e-4, 5e-5, 2.5e-5}
    assert groups[-1]["lr"] == pytest.approx(1e-4)
    n_trained = sum(p.requires_grad for p in classifier.parameters())
    assert sum(len(group["params"]) for group in groups) == n_trained


def test_parts_and_recomputed_layers_learn_the_same(tiny_bert):
    """A step in two parts, layers computed again: the same gradients with less memory."""
    settings = SETTINGS.model_copy(update={"epochs": 1, "precision": "fp32"})
    frugal = settings.model_copy(update={"gradient_accumulation": 2, "gradient_checkpointing": True})
    found = []
    for chosen in (settings, settings.model_copy(update={"gradient_checkpointing": True}), frugal):
        model, history = fit_classifier(pairs(36), settings=chosen, stances=STANCES, encoder=str(tiny_bert), seed=1)
        assert (history.precision, history.batch_size, history.kept) == ("fp32", 8, "tuned encoder")
        assert list(history.loss_by_epoch) == ["1"]
        layers = model.classifier.encoder.encoder.layer
        assert not any(layer.gradient_checkpointing for layer in layers)  # only while training
        found.append(torch.cat([p.detach().flatten() for p in model.classifier.parameters()]))
    assert torch.equal(found[0], found[1])
    # the classes' weights are balanced within each part, so parts differ a little; Adam moves a weight by up to 1e-3 a step
    assert float((found[0] - found[2]).abs().mean()) < 1e-3 and not torch.equal(found[0], found[2])


def test_the_precision_is_what_the_study_says(tiny_bert, monkeypatch):
    assert _choose_precision("fp32") == "fp32" and _choose_precision("bf16") == "bf16"
    monkeypatch.setattr("nlp_study.stance.tuning.has_fast_bfloat16", lambda device: device == "cpu")
    assert _choose_precision("auto") == "bf16"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    assert _choose_precision("auto") == "fp32"
    with pytest.raises(ModelError, match="Tesla T4 cannot compute in bf16"):
        _choose_precision("bf16")


def test_frozen_layers_kept_in_bf16_are_tuned_above_in_fp32(tiny_bert):
    settings = SETTINGS.model_copy(update={"epochs": 1, "frozen_layers": 1, "precision": "fp32"})
    _, history = fit_classifier(pairs(36), settings=settings, stances=STANCES, encoder=str(tiny_bert), seed=1)
    assert history.precision == "fp32" and history.epochs == 1


def test_a_step_too_large_for_the_gpu_says_what_helps(tiny_bert, monkeypatch):
    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("transformers.Trainer.training_step", fail)
    with pytest.raises(ModelError) as caught:
        fit_classifier(pairs(36), settings=SETTINGS, stances=STANCES, encoder=str(tiny_bert), seed=1)
    assert "8 posts with 2 windows" in str(caught.value)
    assert "gradient_accumulation = 2" in caught.value.remedy and "gradient_checkpointing" in caught.value.remedy


def test_curves_for_tensorboard(tiny_bert, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    checkpoints = tmp_path / ".checkpoints" / "coba"
    _, history = fit_classifier(
        pairs(), settings=SETTINGS, stances=STANCES, encoder=str(tiny_bert), seed=1, checkpoints=checkpoints
    )
    assert log_folder(checkpoints) == tmp_path / ".runs" / "coba"
    events = EventAccumulator(str(log_folder(checkpoints)))
    events.Reload()
    losses = [event.value for event in events.Scalars("eval/loss")]
    assert losses[-len(history.loss_by_epoch) :] == pytest.approx(list(history.loss_by_epoch.values()), abs=1e-3)


def test_unlabelled_and_one_class_are_errors(tiny_bert):
    with pytest.raises(DataError, match="at least two"):
        fit_classifier(pairs()[::3], settings=SETTINGS, stances=STANCES, encoder=str(tiny_bert), seed=1)
    nobody = [Pair("p", "t", "t", "x", (), "g")]
    with pytest.raises(DataError, match="no label"):
        fit_classifier(nobody, settings=SETTINGS, stances=STANCES, encoder=str(tiny_bert), seed=1)


def test_baselines():
    train, test = pairs(36), pairs(48)[36:]
    majority = predict_majority([*train, train[0]], test, STANCES)
    assert majority[0].tolist() == pytest.approx([13 / 37, 12 / 37, 12 / 37])
    tfidf = predict_tfidf(train, test, STANCES)
    assert [STANCES[i] for i in tfidf.argmax(1)] == [pair.stance for pair in test]
    assert tfidf.sum(1) == pytest.approx(1)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_linear_head_is_scikit_learns_logistic_regression(n_classes):
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(3)
    train = [pair for pair in pairs(60) if pair.stance in STANCES[:n_classes]]
    features = rng.normal(2, 3, (len(train), 5)) + np.array([[STANCES.index(p.stance)] * 5 for p in train])
    found = predict_embedding(features, train, features, STANCES)
    scaled = (features - features.mean(0)) / (features.std(0) + 1e-6)
    model = LogisticRegression(C=0.003, class_weight="balanced", max_iter=2000).fit(
        scaled, [str(p.stance) for p in train]
    )
    expected = model.predict_proba(scaled)
    columns = [list(map(str, STANCES)).index(name) for name in model.classes_]
    found = found[:, columns] / found[:, columns].sum(1, keepdims=True)
    assert found == pytest.approx(expected, abs=1e-6)
    weights, bias = fit_linear_head(features, train, STANCES)
    assert weights.shape == (3, 5) and bias.shape == (3,)


def test_standalone_training_leaves_the_study_alone(make_study):
    path = make_study()
    path.write_text(path.read_text().replace('format = "jsonl"', 'format = "jsonl"\nlicence = "CC BY 4.0"'))
    study = load_study(path)
    corpus = open_corpus(study.data_dir)
    import_study_sources(study, corpus, RunRecord(stage="import", fingerprint={}))
    folder, evaluations = train_standalone(study, corpus, evaluate=True)
    assert evaluations.num_rows == 4 * 24
    assert not corpus.has(TableName.EVALUATIONS) and corpus.record("model") is None
    assert (folder / MODEL_EVALUATIONS).is_file()
    card = (folder / "README.md").read_text()
    assert "| tfidf |" in card and "24 pairs" in card
    assert "- posts: posts (`posts.jsonl`), licence: CC BY 4.0" in card and "`labels.csv`, licence: not stated" in card
    assert "| batch_size | 8 |" in card and f"torch {torch.__version__}" in card and "1 process, " in card
    assert (
        "| favor |" in card
        and "Rows gold, columns predicted" in card
        and "loss on the training pairs by epoch: 1: " in card
    )
    assert not (study.models_dir / ".checkpoints" / f"{folder.name}.folds").exists()
    again, _ = train_standalone(study, corpus, evaluate=False)
    assert again != folder and folder.is_dir()


def test_held_out_predictions_never_saw_the_author(make_study):
    study = load_study(make_study())
    corpus = open_corpus(study.data_dir)
    import_study_sources(study, corpus, RunRecord(stage="import", fingerprint={}))
    groups = {pair.post_id: pair.group for pair in read_pairs(study, corpus, labelled=True)}
    _, evaluations = train_standalone(study, corpus, evaluate=True)
    folds = {}
    for row in evaluations.to_pylist():
        folds.setdefault(groups[row["post_id"]], set()).add(row["fold"])
    assert all(len(found) == 1 for found in folds.values())


def test_the_gpu_profile_needs_a_gpu(make_study, monkeypatch):
    study = load_study(make_study())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError) as caught:
        apply_profile(study, "gpu")
    assert "CUDA" in str(caught.value) and "PROFILE=cpu" in caught.value.remedy
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    chosen = apply_profile(study, "gpu", encoder="indobenchmark/indobert-base-p1")
    assert chosen.stance_encoder == "indobenchmark/indobert-base-p1"
    assert chosen.stance.batch_size == PROFILES["gpu"].settings["batch_size"] and chosen.root == study.root
    large = apply_profile(study, "gpu-large")
    assert large.stance_encoder == "indobenchmark/indobert-large-p1" and large.stance.gradient_checkpointing
    tweet = apply_profile(study, "gpu", encoder="indolem/indobertweet-base-uncased").stance
    assert (tweet.window_tokens, tweet.train_windows) == (128, 32) and tweet.epochs == chosen.stance.epochs
    with pytest.raises(ConfigError, match="no profile"):
        apply_profile(study, "tpu")
    frozen = study.model_copy(update={"stance": study.stance.model_copy(update={"epochs": 0})})
    assert apply_profile(frozen, "cpu").stance.epochs == 3 and apply_profile(study, "cpu").stance.epochs == 1
