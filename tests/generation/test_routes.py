import pytest

from kd_kedro.generation.protocol import Request
from kd_kedro.generation.routes import RoutedGenerator
from kd_kedro.generation.rules.rule_generator import RulesGenerator
from tests.generation.llm.asking import server_generator
from tests.generation.llm.chat_server_double import Answer, Asked, ChatServerDouble, question


def test_the_next_gets_what_the_one_before_rejected_or_failed() -> None:
    def first(asked: Asked) -> Answer:
        if "rent" in asked.text:
            return question("I'm sorry, I cannot do that.")
        if "cash" in asked.text:
            return Answer(400)
        return question("Which is the meaning of " + asked.text.split()[-1])

    with (
        ChatServerDouble(first) as one,
        ChatServerDouble(lambda asked: question("Tell me: " + asked.text)) as two,
    ):
        generators = {
            "one": server_generator(one.url),
            "two": server_generator(two.url),
            "rules": RulesGenerator(),
        }
        routed = RoutedGenerator(generators, {"rephrase": ["one", "two"], "typo": ["rules"]})
        outcomes = routed.generate(
            [
                Request("rephrase", "What is rent?"),
                Request("typo", "What is depreciation?"),
                Request("rephrase", "What is capital?"),
                Request("rephrase", "What is cash?"),
            ]
        )
        assert sorted(asked.text for asked in two.asked) == ["What is cash?", "What is rent?"]
    assert [outcome.status for outcome in outcomes] == ["ok"] * 4
    assert outcomes[0].text == "Tell me: What is rent?"
    assert outcomes[0].evidence["before"].startswith("double rejected: refusal")
    assert outcomes[2].text == "Which is the meaning of capital?"
    assert "before" not in outcomes[2].evidence


def test_a_task_without_a_generator_is_named() -> None:
    routed = RoutedGenerator({"rules": RulesGenerator()}, {"typo": ["rules"]})
    with pytest.raises(ValueError, match="no generator for the task formal"):
        routed.generate([Request("formal", "What is rent?")])


def test_a_generator_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="task typo of text_generator names oracle: use rules"):
        RoutedGenerator({"rules": RulesGenerator()}, {"typo": ["oracle"]})
