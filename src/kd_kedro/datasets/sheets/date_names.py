"""Names of months and days as spreadsheet programs write them in other languages than English.

By the language of a format code's locale: the low ten bits of its number (MS-LCID).
"""

_GERMAN = (
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "Mo Di Mi Do Fr Sa So",
)
_SPANISH = (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "lunes martes miércoles jueves viernes sábado domingo",
    "ene feb mar abr may jun jul ago sep oct nov dic",
    "lun mar mié jue vie sáb dom",
)
_FRENCH = (
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "lun. mar. mer. jeu. ven. sam. dim.",
)
_ITALIAN = (
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "lun mar mer gio ven sab dom",
)
_DUTCH = (
    "januari februari maart april mei juni juli augustus september oktober november december",
    "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "ma di wo do vr za zo",
)
_PORTUGUESE = (
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
    "jan fev mar abr mai jun jul ago set out nov dez",
    "seg ter qua qui sex sáb dom",
)
_ENGLISH = (
    "January February March April May June July August September October November December",
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "Mon Tue Wed Thu Fri Sat Sun",
)
_BY_LANGUAGE = {
    0x07: _GERMAN, 0x09: _ENGLISH, 0x0A: _SPANISH, 0x0C: _FRENCH, 0x10: _ITALIAN, 0x13: _DUTCH,
    0x16: _PORTUGUESE,
}  # fmt: skip


def date_names(locale: int | None) -> tuple[list[str], ...] | None:
    """Return months, days (from Monday), short months and short days of a locale's language.

    Args:
        locale: The number of a locale, as 0x407; None for English.

    Returns:
        Four lists of names; None for a language whose names are not known here.
    """
    names = _ENGLISH if locale is None else _BY_LANGUAGE.get(locale & 0x3FF)
    return tuple(each.split() for each in names) if names else None
