"""What a text is written in and whether it asks, as far as its script and its small words tell.

A model of languages would know more of them; for the one question that is asked here (may English
phrases stand beside this text?) the commonest words of languages in Latin letters are enough.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

from kd_kedro.text.words import word_set

_ENGLISH = word_set(
    "the a an of to in is are was were be been what which who whom whose how why when where "
    "does do did for on by with and or but not no that this these those it its as at from can "
    "could should would will must has have had if under between than then there their them "
    "they you your we our he she his her I my me into about after before during per each any "
    "all some most more name am define explain describe calculate state list give find true "
    "false following used made one compute determine discuss identify prepare distinguish "
    "differentiate journalise journalize"
)
_SMALL_WORDS = {
    "French": "le la les des du un une est sont que qui quel quelle quels quelles dans pour avec "
    "sur aux et ou où ne pas ce cette ces il elle ils par son sa ses au comment "
    "pourquoi combien quand lors chaque entre d'une l'on qu'est c'est peut faut doit je vous nous "
    "très fait sans sous être avoir",
    "German": "der die das und ist nicht ein eine einer einem einen wie was wer wo wann warum für "
    "mit von wird werden welche welcher welches wenn auf den dem zu zum zur im am sind "
    "hat haben bei oder auch nach aus dass sich man kann als unter zwischen über heißt "
    "wieviel an darf dürfen muss müssen soll sollte gibt gilt ja nein bis ohne durch mehr ich "
    "sie es ihr nur noch sehr hier werde würde haben sein kein keine",
    "Spanish": "el la los las del un una es son que qué cuál cuáles quién cómo cuándo dónde por "
    "para con en y o no se su sus al lo más este esta está ¿qué ¿cuál cuánto cuánta "
    "como entre donde puede debe hay tiene ser muy también sobre sin",
    "Italian": "il lo la gli le un una è sono che chi cosa come quando dove perché quale quali di "
    "del della dei delle nel nella per con non si da al alla più e o tra quanto qual può deve "
    "questo questa essere molto senza",
    "Portuguese": "o os as um uma é são que qual quais quem como quando onde por para com "
    "não se do "
    "da dos das no na nos nas ao à mais e ou seu sua em entre quanto pode deve há tem ser muito "
    "também sem",
    "Dutch": "de het een en is zijn wat wie hoe waar wanneer waarom welke voor met van niet op "
    "in te aan bij naar uit dat die dit deze worden wordt kan als ook tussen hoeveel mag moet ik "
    "je hij zij wij geen om door",
    "Swedish": "och är att en ett det den som vad vem hur när var varför vilken för med av inte på "
    "i till om från kan ska har mellan",
    "Danish": "og er at en et det den som hvad hvem hvor hvornår hvorfor hvordan hvilken hvilket "
    "for med af ikke på til om fra kan skal har mellem",
    "Norwegian": "og er en et det som hva hvem hvor når hvorfor hvordan hvilken hvilket for med "
    "av ikke på til om fra kan skal har mellom",
    "Finnish": "ja on ei mikä mitä kuka missä milloin miksi miten kuinka että joka se ovat tai "
    "kun mutta myös välillä onko",
    "Polish": "i w z na do jest są kto jak kiedy gdzie dlaczego który która które dla nie się "
    "od przez po to oraz czy ile między",
    "Czech": "a v z na do je jsou kdo jak kdy kde proč který která které pro není se jaký jaká "
    "jaké od při nebo mezi jsem",
    "Croatian": "i u na do je su tko ko kako kada gdje gde zašto koji koja koje za nije se što šta "
    "od pri ili između koliko",
    "Hungarian": "a az és egy hogy nem mi ki hogyan mikor hol miért melyik van vagy között mennyi "
    "milyen mit meg",
    "Romanian": "și este sunt care ce cine cum când unde de pentru nu se la din cu sau între cât "
    "câte dintre",
    "Catalan": "el la els les un una és són que què qui com quan on per quina quin amb no i o "
    "entre dels",
    "Turkish": "ve bir bu ne nedir nasıl kim hangi için ile mi mı da de daha olan olarak kaç "
    "nerede neden",
    "Indonesian": "yang dan di adalah apa siapa bagaimana kapan mana mengapa untuk "
    "dengan dari tidak "
    "ini itu pada ke oleh atau apakah berapa antara",
    "Vietnamese": "là gì và của có không cho nào như thế các một những được trong với khi",
    "Swahili": "na ya wa ni kwa katika nini nani gani vipi lini wapi kwanini hii kati au maana",
    "Tagalog": "ang ng sa mga ay ano sino paano kailan saan bakit alin para hindi at pangalan",
    "Lithuanian": "ir yra kas kaip kada kur kodėl kuris su iš ne tai ar tarp",
    "Latvian": "un ir kas kā kad kur kāpēc kurš ar no nav vai starp",
    "Estonian": "ja on ei mis kes kuidas millal kus miks milline või kui vahel",
}
_KNOWN = {language: word_set(words) for language, words in _SMALL_WORDS.items()}
_LANGUAGES_OF = {
    word: [language for language, small in _KNOWN.items() if word in small]
    for word in frozenset().union(*_KNOWN.values())
}
# They stand in names, and one of them alone says nothing ("La Rochelle", "de facto").
_PARTICLES = word_set(
    "la le les los las el il lo der die das den dem de het van von di da do del des du un una une "
    "ein eine en et al per pro con in no non sin"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# Marks that make a sentence a question, and that end one, in all scripts. Greek asks with what
# looks like a semicolon; the Armenian mark stands inside the word.
QUESTION_MARKS = "?？؟\u037e⁇⁈⁉‽⸮፧꛷"
SENTENCE_ENDS = f".!{QUESTION_MARKS}。！．｡…।॥۔።܀։។៕།༎᠃"
_CLOSING = "\"'”“’»›」』）)]"
_GREEK = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")
# What English has for itself: one of these words tells it, of the others it takes two. The words
# named here are common in other languages, if not the commonest.
_ONLY_ENGLISH = (
    _ENGLISH
    - frozenset().union(*_KNOWN.values())
    - word_set(
        "all are be by can compare describe find for has her made most must name over per some "
        "state than under use we will"
    )
)
_FEWEST_WORDS = 3  # with fewer, letters with accents may be a name


@lru_cache(maxsize=100_000)
def foreign_language(text: str) -> str:
    """Return what a text is written in where it is not English, '' where it may be English.

    Returns:
        A language ("French"), a script ("the script Cyrillic"), or "another language".
    """
    words = _words(text)
    if not words:
        return ""
    if not text.isascii():
        scripts = Counter(_script(char) for word in words for char in word if char.isalpha())
        script, count = scripts.most_common(1)[0]
        if script != "Latin" and 2 * count > sum(scripts.values()):
            return f"the script {script}"
    english = _english(words)
    # A single letter of ASCII is a variable or a unit.
    long = [word for word in words if len(word) > 1 or not word.isascii()]
    counts = dict.fromkeys(_KNOWN, 0)
    for word in long:
        for name in _LANGUAGES_OF.get(word, ()):
            counts[name] += 1
    language = max(counts, key=counts.__getitem__)
    telling = len(words) >= _FEWEST_WORDS and any(w in _KNOWN[language] - _PARTICLES for w in long)
    if counts[language] > english and (telling or counts[language] > 1 or _accented(words)):
        return language
    own = _KNOWN[language] - _PARTICLES - _ENGLISH
    even = counts[language] == english and not any(word in _ONLY_ENGLISH for word in words)
    if even and telling and any(word in own for word in long):
        return language
    if not english and len(words) >= _FEWEST_WORDS and _accented(long) > 1:
        return "another language"
    return ""


def asks(text: str) -> bool:
    """Return whether a text ends in a question mark, a closing quotation mark aside."""
    end = text.rstrip().rstrip(_CLOSING).rstrip()
    if end.endswith(tuple(QUESTION_MARKS)) or "՞" in end:
        return True
    return end.endswith(";") and bool(_GREEK.search(end[-20:]))


def language(text: str, beside: str = "") -> str:
    """Return "English", or what `foreign_language` returns; '' where nothing tells.

    Args:
        text: A text.
        beside: The other text of its row, which counts where the first is too short to tell.
    """
    for each in (text, beside):
        if foreign := foreign_language(each):
            return foreign
        if is_english(each):
            return "English"
    return ""


def language_defect(source: str, text: str, beside: str = "") -> str:
    """Return how a text made from another leaves that one's language, '' where it does not.

    Args:
        source: The text as it was; where nothing tells its language, it is in any.
        text: The text made of it.
        beside: The other text of the source's row.
    """
    own = language(source, beside)
    if own == "English":
        other = foreign_language(text)
        return f"another language: {other}" if other else ""
    new = _ONLY_ENGLISH.intersection(_words(text)) - set(_words(source)) if own else None
    return f"another language: English words in {own}: {', '.join(sorted(new)[:3])}" if new else ""


@lru_cache(maxsize=100_000)
def is_english(text: str) -> bool:
    """Return whether a text says that it is English: a formula or a name does not."""
    if foreign_language(text):
        return False
    words = _words(text)
    return any(word in _ONLY_ENGLISH for word in words) or _english(words) > 1


def _words(text: str) -> list[str]:
    """Return the words of a text in small letters, but for "I", which no other language writes so.

    Capitals are abbreviations (SA, CO), unless all of a sentence is in capitals.
    """
    whole = _WORD.findall(text)
    all_capitals = len(whole) >= _FEWEST_WORDS and text.isupper()
    found = (
        word.replace("’", "'")
        for word in whole
        if len(word) == 1 or all_capitals or not word.isupper()
    )
    return [
        word if word == "I" else word.casefold()
        for word in found
        if word.replace("'", "").isalpha()
    ]


def _english(words: list[str]) -> int:
    return sum(word in _ENGLISH for word in words)


def _accented(words: list[str]) -> int:
    return sum(not word.isascii() for word in words)


def _script(char: str) -> str:
    return "Latin" if char.isascii() else unicodedata.name(char, "LATIN").split()[0].capitalize()
