"""Whether a text is English, as far as its script and its small words tell.

A model of languages would know more of them; for the one question that rules ask (may English
phrases stand beside this text?) the commonest words of the neighbours of English are enough.
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
    "they you your we our he she his her i my me into about after before during per each any "
    "all some most more name am define explain describe calculate state list give find true "
    "false following used made one"
)
_SMALL_WORDS = {
    "French": "le la les des du un une est sont que qui quel quelle quels quelles dans pour avec "
    "sur aux et ou où ne pas ce cette ces il elle ils par plus son sa ses au comment "
    "pourquoi combien quand lors chaque entre d'une l'on qu'est c'est",
    "German": "der die das und ist nicht ein eine einer einem einen wie was wer wo wann warum für "
    "mit von wird werden welche welcher welches wenn auf den dem zu zum zur im am sind "
    "hat haben bei oder auch nach aus dass sich man kann als unter zwischen über heißt "
    "wieviel",
    "Spanish": "el la los las del un una es son que qué cuál cuáles quién cómo cuándo dónde por "
    "para con en y o no se su sus al lo más este esta está ¿qué ¿cuál cuánto cuánta "
    "como entre donde",
    "Italian": "il lo la gli le un una è sono che chi cosa come quando dove perché quale quali di "
    "del della dei delle nel nella per con non si da al alla più e o tra quanto qual",
    "Portuguese": "o os as um uma é são que qual quais quem como quando onde por para com "
    "não se do "
    "da dos das no na nos nas ao à mais e ou seu sua em entre quanto",
    "Dutch": "de het een en is zijn wat wie hoe waar wanneer waarom welke voor met van niet op "
    "in te aan bij naar uit dat die dit deze worden wordt kan als ook tussen hoeveel",
    "Swedish": "och är att en ett det den som vad vem hur när var varför vilken för med av inte på "
    "i till om från kan ska har mellan",
    "Polish": "i w z na do jest są kto jak kiedy gdzie dlaczego który która które dla nie się "
    "od przez po to oraz czy ile między",
    "Turkish": "ve bir bu ne nedir nasıl kim hangi için ile mi mı da de daha olan olarak kaç "
    "nerede",
    "Indonesian": "yang dan di adalah apa siapa bagaimana kapan mana mengapa untuk "
    "dengan dari tidak "
    "ini itu pada ke oleh atau apakah berapa antara",
}
_KNOWN = {language: word_set(words) for language, words in _SMALL_WORDS.items()}
# They stand in names, and one of them alone says nothing ("La Rochelle", "de facto").
_PARTICLES = word_set(
    "la le les los las el il lo der die das den dem de het van von di da do del des du un una une "
    "ein eine en et al per pro con in no"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_FEWEST_WORDS = 3  # with fewer, letters with accents may be a name


_FEWEST_ENGLISH = 2
_ENGLISH_SHARE = 0.25  # of the words of an English text at least so many are small words


@lru_cache(maxsize=100_000)
def foreign_language(text: str) -> str:
    """Return what a text is written in where it is not English, '' where it may be English.

    Returns:
        A language ("French"), a script ("the script Cyrillic"), or "another language".
    """
    # Capitals are abbreviations (SA, CO).
    found = (
        word.replace("’", "'")
        for word in _WORD.findall(text)
        if len(word) == 1 or not word.isupper()
    )
    words = [word.casefold() for word in found if word.replace("'", "").isalpha()]
    if not words:
        return ""
    scripts = Counter(_script(char) for word in words for char in word if char.isalpha())
    script, count = scripts.most_common(1)[0]
    if script != "Latin" and 2 * count > sum(scripts.values()):
        return f"the script {script}"
    english = sum(word in _ENGLISH for word in words)
    # A single letter of ASCII is a variable or a unit.
    long = [word for word in words if len(word) > 1 or not word.isascii()]
    counts = {name: sum(word in small for word in long) for name, small in _KNOWN.items()}
    language = max(counts, key=lambda name: counts[name])
    telling = len(words) >= _FEWEST_WORDS and any(w in _KNOWN[language] - _PARTICLES for w in long)
    if counts[language] > english and (telling or counts[language] > 1 or _accented(words)):
        return language
    if not english and len(words) >= _FEWEST_WORDS and _accented(long) > 1:
        return "another language"
    return ""


def language(text: str) -> str:
    """Return what a text is written in as far as its words tell it, '' where they do not.

    Returns:
        "English", or what `foreign_language` returns.
    """
    if foreign := foreign_language(text):
        return foreign
    words = [word.casefold() for word in _WORD.findall(text)]
    english = sum(word in _ENGLISH for word in words)
    is_so = english >= max(_FEWEST_ENGLISH, _ENGLISH_SHARE * len(words))
    return "English" if is_so else ""


def _accented(words: list[str]) -> int:
    return sum(not word.isascii() for word in words)


def _script(char: str) -> str:
    return "Latin" if char.isascii() else unicodedata.name(char, "LATIN").split()[0].capitalize()
