"""Text that a language model leaves where a question or an answer should be.

Placeholders, talk about the task, refusals, and marks of prompts and templates. What the source
says itself is never counted against a text made from it.
"""

import re

_FLAGS = re.IGNORECASE | re.MULTILINE

_DOING = (
    r"(?:help|assist|answer|provide|fulfill?|complete|comply|generate|create|rephrase|rewrite|"
    r"paraphrase|do (?:that|this)|browse|continue|discuss)\b"
)

# What is wrong, and the pattern that shows it anywhere in a text.
_SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern, _FLAGS))
    for what, pattern in (
        ("placeholder", r"\blorem ipsum\b"),
        (
            "placeholder",
            r"[\[<{]\s{0,5}(?:your|insert|enter|add|the|a|an|some|rephrased|rewritten|original|new|"
            r"input|output)?[\s_-]{0,5}(?:formal|casual|rephrased|rewritten|paraphrased|final|missing)?"
            r"[\s_-]{0,5}(?:text|question|answer|statement|sentence|version|placeholder|response|name|"
            r"date|amount|number|topic|term|concept|word)s?"
            r"(?:\s{1,5}(?:here|goes here))?\s{0,5}[\]>}]",
        ),
        (
            "placeholder",
            r"\b(?:your|the|insert|enter)\b[^.?!\n]{0,40}"
            r"\b(?:goes here|(?:text|question|answer) here)\b",
        ),
        (
            "placeholder",
            r"[\[<{][^\]>}\n]{0,60}\b(?:insert|your|here|placeholder|fill in|re-?phrased|"
            r"re-?written|para-?phrased|re-?worded)\b[^\]>}\n]{0,60}[\]>}]",
        ),
        ("placeholder", r"\[[\w' ]{0,30}\b(?:name|date|amount|number|title|year|value)\]"),
        ("placeholder", r"\b(?:sample|example|dummy|placeholder) (?:question|answer|text)\b"),
        ("placeholder", r"\bx{4,}\b|[₹$€£]\s?x{2,}\b"),
        ("placeholder", r"\b(?:blah,? blah|foo ?bar|asdf\w*)\b"),
        ("placeholder", r"\A\W*+(?:n/?a|none|null|nan|undefined|todo|tbd|x{3,})?\W*+\Z"),
        (
            "refusal",
            r"\bas an? (?:ai\b|artificial intelligence|(?:large |ai )*language model|"
            r"(?:\w+ )?assistant\b|chat ?bot|responsible)",
        ),
        ("refusal", r"\b(?:ai|large) language model\b|\blanguage model(?:,| and| i\b)"),
        (
            "refusal",
            r"\bi(?:['’]m| am)\s+(?:(?:very|so|really|truly) )?"
            r"(?:sorry\b|afraid i\b|not programmed\b|just an? (?:ai|assistant|language)\b|"
            r"not sure (?:what you|how to (?:re|para))|(?:unable|not able) to " + _DOING + r")",
        ),
        (
            "refusal",
            r"\bi\s+(?:cannot|can['’]?t|can not|could not|won['’]?t|will not|do not|don['’]?t)\s+"
            r"(?:\w+ )?(?:" + _DOING + r"|have (?:access|enough|personal|opinions)|engage in|"
            r"(?:see|understand|find|access) (?:the|your|any|a) (?:question|text|statement|request|"
            r"file|attachment|context)s?\b)",
        ),
        (
            "refusal",
            r"\b(?:i|we) apologi[sz]e\b|\bmy apologies\b|\A\W*+(?:i['’]?m )?sorry\b|"
            r"\bunable to (?:assist|comply|help|process|generate)\b|"
            r"\bi (?:must|have to) (?:decline|refuse)\b|"
            r"\A\W*+i (?:do not|don['’]?t) know\W*\Z",
        ),
        ("refusal", r"\bagainst (?:my|our|the) (?:guidelines|policy|policies|programming)\b"),
        (
            "talk about the task",
            r"\b(?:re-?phras|para-?phras|re-?writ|re-?word)(?:e|es|ed|ing|ten)\b",
        ),
        (
            "talk about the task",
            r"\A\W*+(?:(?:sure thing|(?:good|great|excellent|interesting) question)\b|"
            r"(?:ok|okay|alright|here you go|here it is)\b[^?\n]{0,40}:|"
            r"(?:in other words|to put it|put (?:differently|another way|formally|casually))\b)",
        ),
        (
            "talk about the task",
            r"\b(?:provide|give|share|need|have)(?: me)?(?: with)? (?:more|additional|further) "
            r"(?:context|details?|information)\b|"
            r"\bwhat (?:would|do) you (?:like|want) (?:me )?to\b",
        ),
        (
            "talk about the task",
            r"\A\W*+(?:sure|certainly|of course|absolutely|got it|understood|no problem|great)"
            r"\s*[!,.:]",
        ),
        (
            "talk about the task",
            r"\bhere(?:['’]s| is| are)\b[^.?!\n]{0,60}\b(?:version|question|statement|answer|"
            r"output|result|response|text|sentence|option)s?\b[^?\n]{0,40}:",
        ),
        (
            "talk about the task",
            r"\b(?:your|my|the) (?:previous|last|earlier|above) "
            r"(?:response|message|answer|question|request|reply)\b",
        ),
        (
            "talk about the task",
            r"\b(?:let me know if|hope (?:this|that) helps|feel free to|happy to (?:help|assist)|"
            r"glad to help|do you want me to|would you like me to|is there anything else|"
            r"please (?:provide|share|paste|give me) (?:me )?(?:with )?(?:the|your|a|more)\b|"
            r"as (?:you )?requested|as per your request|thank you for (?:your|the|asking))",
        ),
        (
            "talk about the task",
            r"^[^\w\n]*+(?:note|explanation|disclaimer|output|response|input|instruction|task)s?\s*:",
        ),
        (
            "talk about the task",
            r"\b(?:this|the) (?:version|rewrite|revision) "
            r"(?:keeps|retains|preserves|maintains|uses|is)\b",
        ),
        (
            "talk about the task",
            r"\b(?:given|original|provided|above|input) (?:question|statement|sentence|prompt)s?\b|"
            r"\b(?:question|text|statement|sentence) is already\b|"
            r"\bhow (?:can|may) i (?:help|assist)\b",
        ),
        (
            "talk about the task",
            r"\A\W*+(?:formal|casual|informal|professional|conversational|general|typo)"
            r"(?: \w+)?\s*:|\((?:formal|casual|informal)(?: \w+){0,2}\)",
        ),
        (
            "error message",
            r"\A\W*+(?:error|exception|traceback|http \d{3})\b\s*[:(]|\brate limit exceeded\b|"
            r"\bquota exceeded\b|\binternal server error\b|\bservice unavailable\b|"
            r"\binvalid api key\b",
        ),
        ("mark of a template", r"<\|[^|<>\n]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<extra_id_\d+>"),
        ("mark of a template", r"<(?:pad|unk|eos|bos|think|/think|start_of_turn|end_of_turn)>"),
        ("mark of a template", r"^[^\S\n]*+(?:###|assistant\s*:|user\s*:|system\s*:|human\s*:)"),
        ("code fence", r"```"),
    )
)
# What no rewrite of a question says, wherever it comes from. Wider than the signs above: those
# judge answers too, which may well end in "…" or speak of a "formal tone".
_META = re.compile(
    r"\bas an? (?:ai|artificial|large language|language)\b|\blanguage model\b"
    r"|\b(?:i am|i'm|we are|we're) (?:sorry|unable|afraid|not able)\b|\bi apologi[sz]e\b|\bsorry,"
    r"|\bi (?:can't|cannot|can not|won't|will not|do not|don't) (?:help|assist|answer|provide|"
    r"fulfil|comply|rephrase|rewrite|generate|have enough|understand)"
    r"|\b(?:previous|earlier|prior|above|original|your|my) (?:response|reply|"
    r"message|prompt|instructions?|input)\b"
    r"|\b(?:re-?phras|re-?writ|re-?word|paraphras)(?:e|es|ed|ing|ten)\b"
    r"|\bhere(?:'s| is| are) (?:the|a|an|your|my|one|some) [\w\s]{0,30}?(?:version|question|text|"
    r"variant|sentence|revision|output|result)s?\b(?!:\s*\S.*\?)"
    r"|\b(?:casual|formal|general|informal|improved|revised|modified) (?:version|tone|style)\b"
    r"|^(?:sure|certainly|of course|absolutely|okay|great)[!,.]? (?:here|i)\b"
    r"|\b(?:lorem ipsum|placeholder|your (?:question|text|answer) here|to be (?:determined|filled)|"
    r"insert \w+ here|no (?:output|response|answer|change)s?(?: needed| available| required)?$|tbd"
    r"|todo)\b"
    r"|[\[<{](?:insert|your|question|answer|text|name|placeholder|rewritten|output|blank)\b"
    r"|^(?:question|answer|output|response|note|explanation|user|assistant|system)\s*\d*:"
    r"|<\|?/?\w+\|?>|^n/?a\.?$|^null$|^none\.?$|^nan$|^[^\w\n]*+$|(?:\.\.\.|…)[^\w\n]{0,40}$",
    re.IGNORECASE | re.MULTILINE,
)
_ELLIPSIS = re.compile(r"\.{3,}|…")


def contamination(text: str, source: str = "") -> str:
    """Return what in a text is no part of any question or answer, or '' where nothing is.

    Args:
        text: A text that is to stand in the data.
        source: What it was made from; signs that stand there already do not count.
    """
    for what, pattern in _SIGNS:
        # A doubled sign is news even where the source has one of its kind.
        found = {match.group().casefold() for match in pattern.finditer(text)}
        known = {match.group().casefold() for match in pattern.finditer(source)}
        if fresh := found - known:
            return f"{what}: {min(fresh, key=len).strip()[:60]!r}"
    if source and _ELLIPSIS.search(text) and not _ELLIPSIS.search(source):
        return "placeholder: '...'"
    return ""


def meta_defect(source: str, rewrite: str) -> str:
    """Return what in a rewrite speaks of the task and not of the subject, '' where nothing does."""
    there = {match.group().casefold() for match in _META.finditer(source)}
    for match in _META.finditer(rewrite):
        if match.group().casefold() not in there:
            return f"no question: {match.group()[:40]!r}"
    return ""
