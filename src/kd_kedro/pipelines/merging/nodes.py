"""The node of the merging pipeline."""

from kd_kedro.models.causal_lm import LanguageModel


def merge_student(student: LanguageModel) -> LanguageModel:
    """Return the student as a plain model that needs no peft.

    Raises:
        ValueError: It has no adapter.
    """
    from kd_kedro.models.adapters import is_adapted, merged
    from kd_kedro.models.build import size_card
    from kd_kedro.storage.fingerprints import weights_fingerprint

    if not is_adapted(student.model):
        raise ValueError(
            "student is a plain model without an adapter, so that there is nothing to merge: use "
            "the entry student itself, or train one with distillation.student.adapter.kind lora"
        )
    model = merged(student.model)
    card = {name: value for name, value in student.card.items() if name != "adapter"}
    card |= {"name": "merged_student", **size_card(model), "weights": weights_fingerprint(model)}
    return LanguageModel(model, student.tokenizer, card)
