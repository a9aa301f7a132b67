"""Texts that are not English are told from those that are, or may be."""

import pytest

from kd_kedro.text.language import asks, foreign_language, is_english, language, language_defect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Quel fleuve traverse Paris ?", "French"),
        ("Où se trouve Lyon ?", "French"),
        ("Déclarer ses revenus chaque année est ____.", "French"),
        ("Wie hoch ist die Steuer?", "German"),
        ("Darf man Geschenke an Kunden absetzen?", "German"),
        ("Puede ser un no?", "Spanish"),
        ("Was versteht man unter Abschreibung?", "German"),
        ("¿Cuál es la capital?", "Spanish"),
        ("Qual é a capital do Brasil?", "Portuguese"),
        ("Che cosa è un bilancio?", "Italian"),
        ("Wat is een balans?", "Dutch"),
        ("Vad är en tillgång?", "Swedish"),
        ("Apa yang dimaksud dengan aset?", "Indonesian"),
        ("什么是资产?", "the script Cjk"),
        ("Как рассчитать амортизацию?", "the script Cyrillic"),
        ("लेखांकन क्या है?", "the script Devanagari"),
        ("ما هي الأصول؟", "the script Arabic"),
        ("Đâu là thủ đô nước này?", "Vietnamese"),
        ("Çfarë është kapitali?", "another language"),
        ("Mieszka w domu i nie ma psa.", "Polish"),
        ("Jaký je rozdíl mezi aktivy a pasivy?", "Czech"),
        ("Hvad er forskellen mellem aktiver og passiver?", "Danish"),
        ("Mikä on ero omaisuuden ja velkojen välillä?", "Finnish"),
        ("Nini maana ya mtaji?", "Swahili"),
    ],
)
def test_another_language_is_named(text: str, language: str) -> None:
    assert foreign_language(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "What is cash?",
        "Define depreciation.",
        "What is La Rochelle known for?",
        "Who was Ludwig van Beethoven?",
        "Explain the de facto standard of the café in São Paulo.",
        "Straw Man",
        "A non-cash expense.",
        "I am having trouble withdrawing cash.",
        "10,000 × 20% × ½ = 1,000",
        "C = 4π",
        "Al(s) + 3 NaNO3(aq)",
        "SA 8000, EMAS and CO",
        "Debit Müller & Co 500",
        "Journalise: sold goods to Großmann",
        "Integrate sin x",
    ],
)
def test_english_and_what_may_be_english_is_not(text: str) -> None:
    assert foreign_language(text) == ""


@pytest.mark.parametrize("text", ["What is cash?", "Is rent a cost?", "Define rent.", "the cost"])
def test_a_text_says_that_it_is_english(text: str) -> None:
    assert is_english(text)


@pytest.mark.parametrize(
    "text",
    ["", "Sauerteig?", "Hefe in Wasser?", "2 + 2 = ____", "Teig gehen lassen?", "Was ist Brot?"],
)
def test_a_text_that_does_not_say_so_may_be_in_any_language(text: str) -> None:
    assert not is_english(text)


def test_the_other_text_of_a_row_counts_where_one_is_too_short() -> None:
    assert language("Sauerteig?", "Er ist aus Mehl und Wasser.") == "German"
    assert language("What is bread?", "Er ist aus Mehl.") == "English"
    assert language("2 + 2?", "4") == ""


@pytest.mark.parametrize(
    ("source", "text", "defect"),
    [
        ("Was ist Brot?", "Kannst du sagen, was Brot ist?", ""),
        ("Was ist Brot?", "What is Brot?", "another language: English words in German: what"),
        ("Sauerteig?", "What is Sauerteig?", ""),
        ("What is bread?", "Was ist Brot, und wie wird es gemacht?", "another language: German"),
        ("What is bread?", "Define bread.", ""),
        ("面包是什么？", "什么是面包？", ""),
    ],
)
def test_a_rewrite_stays_in_its_language(source: str, text: str, defect: str) -> None:
    assert language_defect(source, text).startswith(defect)
    assert bool(language_defect(source, text)) == bool(defect)


def test_a_short_source_is_in_the_language_of_its_answer() -> None:
    made = "What is Sauerteig?"
    defect = "another language: English words in German: what"
    assert language_defect("Sauerteig?", made, "Er ist aus Mehl und Wasser.") == defect
    assert language_defect("Sauerteig?", made, "It is made of flour.") == ""


@pytest.mark.parametrize(
    "text", ["Why?", "为什么？", "لماذا؟", "Γιατί;", "Γιατί\u037e", "Ինչո՞ւ։", "„Wer?“ ", "ለምን፧"]
)
def test_a_question_mark_of_any_script_asks(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize("text", ["", "x = 1;", "Why? So.", "因为。"])
def test_other_ends_do_not_ask(text: str) -> None:
    assert not asks(text)
