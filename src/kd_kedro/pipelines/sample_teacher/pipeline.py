"""The sample_teacher pipeline: whom the sample's students learn from; run only if asked for."""

from kedro.pipeline import Node, Pipeline

from kd_kedro.pipelines.sample_teacher.nodes import make_corpus, train_sample_teacher


def create_pipeline() -> Pipeline:
    """Return the sample_teacher pipeline: a corpus of other seeds, and a teacher trained on it."""
    return Pipeline(
        [
            Node(
                make_corpus,
                {
                    "augmented_qa": "augmented_qa",
                    "fabrication_vocabulary": "fabrication_vocabulary",
                    "sentence_embedder": "sentence_embedder",
                    "corpus": "params:sample_teacher.corpus",
                    "fabrication": "params:fabrication",
                    "examples": "params:distillation.examples",
                    "split": "params:augmentation.split",
                    "deduplication": "params:filtering.deduplication",
                },
                "corpus_examples",
                name="make_corpus",
            ),
            Node(
                train_sample_teacher,
                {
                    "corpus_examples": "corpus_examples",
                    "augmented_qa": "augmented_qa",
                    "fabricated_qa": "fabricated_qa",
                    "examples": "params:distillation.examples",
                    "params": "params:sample_teacher",
                    "training_work_dir": "training_work_dir",
                },
                ["sample_models", "sample_history"],
                name="train_sample_teacher",
            ),
        ]
    )
