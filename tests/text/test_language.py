"""Texts that are not English are told from those that are, or may be."""

import pytest

from kd_kedro.text.language import foreign_language, is_english


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Quel fleuve traverse Paris ?", "French"),
        ("Où se trouve Lyon ?", "French"),
        ("Déclarer ses revenus chaque année est ____.", "French"),
        ("Wie hoch ist die Steuer?", "German"),
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
    ],
)
def test_english_and_what_may_be_english_is_not(text: str) -> None:
    assert foreign_language(text) == ""


@pytest.mark.parametrize("text", ["What is cash?", "Is rent a cost?", "Define rent.", "the cost"])
def test_a_text_says_that_it_is_english(text: str) -> None:
    assert is_english(text)


@pytest.mark.parametrize(
    "text", ["", "Sauerteig?", "Hefe in Wasser?", "2 + 2 = ____", "Teig gehen lassen?", "Was ist Brot?"]
)
def test_a_text_that_does_not_say_so_may_be_in_any_language(text: str) -> None:
    assert not is_english(text)
