"""What a reviewer's word says: yes or no in common languages, ticks and check boxes included."""

import unicodedata
from collections.abc import Collection

_WORDS = {
    "yes": """
        yes y true correct right valid ok okay accept accepted approve approved good ✓ ✔ ✅ ☑ 👍
        ja j wahr richtig korrekt gut oui vrai bon sí si verdadero correcto sim verdadeiro correto
        sì vero corretto waar juist goed jo sant riktig rätt rigtig kyllä tosi tak prawda ano pravda
        áno igen igaz evet doğru da adevărat так да верно правда ναι نعم हाँ हां 是 对 對 是的 はい
        正しい 예 네 ya vâng
    """,
    "no": """
        no n false incorrect wrong invalid reject rejected bad ✗ ✘ ✖ ❌ ☒ × 👎 nein falsch schlecht
        non faux mauvais falso incorrecto não nao errado incorreto sbagliato nee onwaar onjuist fout
        nej nei falsk fel forkert ei väärin nie fałsz nepravda nem hamis hayır hayir yanlış fals
        ні нет неверно όχι لا नहीं 否 不 错 錯 不是 いいえ 아니요 아니오 tidak không
    """,
}
_MEANING = {word.casefold(): meaning for meaning, words in _WORDS.items() for word in words.split()}


def read_verdict(verdict: str, known: Collection[str]) -> str | None:
    """Return which of the known words a verdict says.

    Args:
        verdict: The word as it stands in the sheet.
        known: Words in lower case. Where `yes` or `no` is one of them, common words for it count
            as it.

    Returns:
        A known word; '' for a blank verdict; None where it says none of them.
    """
    said = verdict.strip().casefold()
    if not said or said in known:
        return said
    # Phones put a mark behind a tick that asks for its picture.
    meaning = _MEANING.get(unicodedata.normalize("NFC", said).removesuffix("\ufe0f"))
    return meaning if meaning in known else None
