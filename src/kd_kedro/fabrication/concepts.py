"""Free-text questions on concepts, and questions on something else altogether."""

from functools import partial
from random import Random

from kd_kedro.fabrication.templates import Slots, Template, Vocabulary


def concept_templates(words: Vocabulary) -> list[tuple[Template, int]]:
    """Return the free-text templates with their weights in the sheet."""
    bank = _bank(words)
    one = partial(_one, bank=bank)
    two = partial(_two, bank=bank)
    traders = [line.split(" | ") for line in words["businesses"]]
    trader = partial(_trader, bank=bank, traders=traders)
    free = partial(Template, topic="concepts", gradable=False)
    return [
        (
            free(
                "concept: definition",
                draw=one,
                answer="{Name} {definition}.",
                wordings=(
                    "What is meant by {name}?",
                    "What do you understand by {name}?",
                    "Define {name}.",
                    "Explain the meaning of {name}.",
                ),
            ),
            3,
        ),
        (
            free(
                "concept: purpose",
                draw=one,
                answer="{Name} {matters} because {purpose}.",
                wordings=(
                    "Why {do} {name} matter to an accountant?",
                    "For what reason {do} {name} matter to an accountant?",
                    "Explain why {name} {matters} to an accountant.",
                ),
            ),
            3,
        ),
        (
            free(
                "concept: practice",
                draw=one,
                answer="{practice}",
                wordings=(
                    "How {be} {name} dealt with in practice?",
                    "In practice, how {be} {name} dealt with?",
                    "Describe how {name} {be} dealt with in practice.",
                ),
            ),
            3,
        ),
        (
            free(
                "concept: term",
                draw=one,
                answer="{Name}.",
                wordings=(
                    "Which accounting term fits this description: {they} {definition}?",
                    "Name the accounting term for this: {they} {definition}.",
                ),
                cloze="[[{Name}]] {definition}.",
                options=partial(_other_names, bank=bank),
            ),
            3,
        ),
        (
            free(
                "concept: comparison",
                draw=two,
                wordings=(
                    "Distinguish between {name} and {other}.",
                    "What is the difference between {name} and {other}?",
                    "How {do} {name} differ from {other}?",
                    "Differentiate between {name} and {other}.",
                ),
                answer="{Name} {definition}, whereas {other} {other_definition}.",
            ),
            8,
        ),
        (
            free(
                "concept: why for a business",
                draw=trader,
                wordings=(
                    "Why should {trader} pay attention to {name}?",
                    "For what reasons should {trader} pay attention to {name}?",
                    "Explain to the owner of {trader} why {name} {matters}.",
                ),
                answer="For {trader}, {trait}, {name} {matters} because {purpose}.",
            ),
            6,
        ),
        (
            free(
                "concept: how for a business",
                draw=trader,
                wordings=(
                    "How would the accountant of {trader} handle {name}?",
                    "In what way would the accountant of {trader} handle {name}?",
                    "Advise {trader} on how to handle {name}.",
                ),
                answer="{practice} The same holds for {trader}, {trait}.",
            ),
            5,
        ),
        (
            free(
                "concept: confusion",
                draw=two,
                wordings=(
                    "Is it right to say that {name} {other_definition}?",
                    "Would it be right to say that {name} {other_definition}?",
                    "A trainee says that {name} {other_definition}. Is this correct?",
                ),
                answer="No, that describes {other}; {name} {definition}.",
            ),
            4,
        ),
    ]


def off_topic_templates(words: Vocabulary) -> list[Template]:
    """Return templates of questions that have nothing to do with accounting."""
    templates = []
    for topic, content in words["off_topic"].items():
        for number, line in enumerate(content["frames"], start=1):
            question, answer = line.replace("{1}", "{one}").replace("{2}", "{two}").split(" | ")
            templates.append(
                Template(
                    f"off-topic: {topic} {number}",
                    topic,
                    (question,),
                    answer,
                    partial(_off_topic, x=content["x"], y=content["y"]),
                    gradable=False,
                )
            )
    return templates


def _bank(words: Vocabulary) -> list[Slots]:
    bank = []
    for topic, lines in words["concepts"].items():
        for line in lines:
            name, definition, purpose, practice = (part.strip() for part in line.split(" | "))
            plural = definition.startswith("are ")
            bank.append(
                {
                    "topic": topic,
                    "name": name,
                    "Name": name[:1].upper() + name[1:],
                    "definition": definition,
                    "purpose": purpose,
                    "practice": practice,
                    "they": "they" if plural else "it",
                    "do": "do" if plural else "does",
                    "be": "are" if plural else "is",
                    "matters": "matter" if plural else "matters",
                }
            )
    return bank


def _one(rng: Random, bank: list[Slots]) -> Slots:
    return dict(rng.choice(bank))


def _two(rng: Random, bank: list[Slots]) -> Slots:
    """Return two concepts of one topic and one number, in the order of the bank."""
    while True:
        first, second = sorted(rng.sample(range(len(bank)), 2))
        one, other = bank[first], bank[second]
        if one["topic"] == other["topic"] and one["be"] == other["be"]:
            return one | {"other": other["name"], "other_definition": other["definition"]}


def _trader(rng: Random, bank: list[Slots], traders: list[list[str]]) -> Slots:
    trader, trait = rng.choice(traders)
    return rng.choice(bank) | {"trader": trader, "trait": trait}


def _other_names(rng: Random, slots: Slots, bank: list[Slots]) -> list[str]:
    names = [
        each["Name"]
        for each in bank
        if each["topic"] == slots["topic"] and each["name"] != slots["name"]
    ]
    return rng.sample(names, 3)


def _off_topic(rng: Random, x: list[str], y: list[str]) -> Slots:
    subject, one, two = rng.choice(x).split(" | ")
    return {"x": subject, "one": one, "two": two, "y": rng.choice(y)}
