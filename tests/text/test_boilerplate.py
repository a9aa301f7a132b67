import pytest

from kd_kedro.text.boilerplate import contamination

SOURCE = "What is the journal entry for rent of 12,000 paid in cash?"


@pytest.mark.parametrize(
    "text",
    [
        "...",
        "…",
        "N/A",
        "[Your question here]",
        "[insert rephrased question]",
        "<question>",
        "{text}",
        "Lorem ipsum dolor sit amet?",
        "Your rephrased question goes here",
        "Kindly rephrase my previous response",
        "Could you rephrase the question?",
        "Sure! What is the entry for rent?",
        "Here is the rephrased question: What is the entry for rent?",
        "Here's a more formal version of your question:",
        "As an AI language model, I do not have opinions.",
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I cannot assist with this request.",
        "I cannot provide an answer without context.",
        "I apologize for the confusion.",
        "What is the entry for rent? Let me know if you need more.",
        "Please provide the question.",
        "Note: the amount was kept.",
        "What is the entry?<|eot_id|>",
        "[INST] What is the entry? [/INST]",
        "```What is the entry?```",
        "### What is the entry?",
        "assistant: What is the entry?",
        "What is the journal entry for ... paid in cash?",
        "What is the entry for rent? This version keeps the amount.",
        "Sorry, that is not possible.",
        "Unable to process the request.",
        "[Insert formal version of the question here]",
        "What is the entry of [Company Name]?",
        "Sample question",
        "Error: rate limit exceeded",
        "Formal: What is the entry for rent?",
        "What is the entry for rent? (casual)",
        "The given question is about rent.",
        "The question is already clear.",
        "How can I help you today?",
    ],
)
def test_finds_what_belongs_to_no_question(text: str) -> None:
    assert contamination(text, SOURCE)


@pytest.mark.parametrize(
    "text",
    [
        SOURCE,
        "Which entry records rent of 12,000 paid in cash?",
        "I can't find the ledger. Where are purchases returned recorded?",
        "What does [3] refer to, and what is <5 % materiality?",
        "Which of these is an output tax: GST, customs, or none?",
        "Explain note payable.",
        "Is a sure thing (a certain gain) recorded as income?",
        "Please state the formula for the current ratio.",
    ],
)
def test_leaves_questions_alone(text: str) -> None:
    assert contamination(text, SOURCE) == ""


def test_what_the_source_says_does_not_count() -> None:
    source = "How do you rephrase a qualified opinion?"
    assert contamination("In what way do you rephrase a qualified opinion?", source) == ""
    assert contamination("Sales were ... and rent?", "Sales were ... . And rent?") == ""


@pytest.mark.parametrize("sign", [".", "? ", "\n", "[", "[ ", "…"])
def test_a_long_run_of_signs_hides_nothing(sign: str) -> None:
    assert contamination(f"What is rent?{sign * 5000}\nNote: as above", SOURCE)
    assert not contamination(f"Why{' ' * 5000}is rent paid?", SOURCE)


def test_signs_alone_are_a_placeholder() -> None:
    assert contamination("?! -- ?!", SOURCE).startswith("placeholder")
