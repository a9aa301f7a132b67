"""Ratios and small computations with tidy results, and those shown with their working."""

from collections.abc import Callable
from functools import partial
from random import Random

from kd_kedro.fabrication.templates import MONEY, Slots, Template, Vocabulary, firm, money

Numbers = Callable[[Random], Slots]
Options = Callable[[Random, Slots], list[str]] | None

UNITS = (100, 1000, 10_000)
PERCENTS = (5, 10, 20, 25, 40, 50)


def computation_templates(words: Vocabulary) -> list[Template]:
    """Return the templates whose answer is one number."""
    return [
        _template(words, "computations", name, numbers, "{result}", options=_wrong_numbers)
        for name, numbers in _COMPUTATIONS.items()
    ]


def formula_templates(words: Vocabulary) -> list[Template]:
    """Return the templates whose answer shows its working in symbols."""
    return [
        _template(words, "formulas", name, numbers, "{working}", options=None)
        for name, numbers in _FORMULAS.items()
    ]


def _template(
    words: Vocabulary, kind: str, name: str, numbers: Numbers, answer: str, options: Options
) -> Template:
    content = words[kind][name]
    return Template(
        name=f"{kind.removesuffix('s')}: {name}",
        topic=content["topic"],
        wordings=tuple(content["wordings"]),
        answer=answer,
        draw=partial(_drawn, numbers, words),
        names=("firm",),
        cloze=content.get("cloze", ""),
        options=options,
    )


def _drawn(numbers: Numbers, words: Vocabulary, rng: Random) -> Slots:
    return numbers(rng) | {"firm": firm(rng, words)}


def _wrong_numbers(rng: Random, slots: Slots) -> list[str]:
    """Return three results of other draws in the same form as the right one."""
    head, digits, tail = slots["parts"].split("|")
    value = float(digits.replace(",", ""))
    wrong = [value * factor for factor in (2, 0.5, 1.5, 3, 4, 1.2)]
    return [f"{head}{_plain(number)}{tail}" for number in rng.sample(wrong, 3)]


def _result(value: float, head: str = "", tail: str = "") -> Slots:
    return {"result": f"{head}{_plain(value)}{tail}", "parts": f"{head}|{_plain(value)}|{tail}"}


def _cash(value: int) -> Slots:
    return {"result": money(value), "parts": f"{MONEY}|{value}|"}


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.10g}"


def _quotient(head: str, tail: str, ratios: tuple[float, ...]) -> Numbers:
    def numbers(rng: Random) -> Slots:
        below = rng.choice((2, 4, 6, 8, 10, 12, 16, 20, 24, 30, 40)) * rng.choice(UNITS)
        ratio = rng.choice(ratios)
        return {"a": money(round(below * ratio)), "b": money(below)} | _result(ratio, head, tail)

    return numbers


def _share(rng: Random) -> Slots:
    whole = rng.choice((2, 4, 5, 6, 8, 10, 12, 16, 20, 40)) * rng.choice(UNITS)
    percent = rng.choice(PERCENTS)
    part = whole * percent // 100
    return {"a": money(part), "b": money(whole)} | _result(percent, tail="%")


def _percent_of(percents: tuple[int, ...]) -> Numbers:
    def numbers(rng: Random) -> Slots:
        base, percent = rng.randint(1, 99) * rng.choice((100, 1000)), rng.choice(percents)
        return {"a": money(base), "p": f"{percent}%"} | _cash(base * percent // 100)

    return numbers


def _difference(rng: Random) -> Slots:
    unit, small = rng.choice(UNITS), rng.randint(1, 49)
    large = small + rng.randint(1, 49)
    return {"a": money(large * unit), "b": money(small * unit)} | _cash((large - small) * unit)


def _sum(rng: Random) -> Slots:
    unit, first, second = rng.choice(UNITS), rng.randint(1, 49), rng.randint(1, 49)
    return {"a": money(first * unit), "b": money(second * unit)} | _cash((first + second) * unit)


def _straight_line(rng: Random) -> Slots:
    unit, life = rng.choice((100, 1000)), rng.choice((2, 4, 5, 8, 10))
    charge, scrap = rng.randint(1, 9), rng.choice((1, 2, 3, 5))
    return {
        "a": money((charge * life + scrap) * unit),
        "b": money(scrap * unit),
        "n": str(life),
    } | _cash(charge * unit)


def _quick(rng: Random) -> Slots:
    unit, liabilities = rng.choice(UNITS), rng.choice((2, 4, 6, 8, 10))
    ratio, stock = rng.choice((0.5, 1, 1.5, 2, 2.5)), rng.randint(1, 9)
    assets = round(liabilities * ratio) + stock
    return {
        "a": money(assets * unit),
        "b": money(stock * unit),
        "c": money(liabilities * unit),
    } | _result(ratio, tail=":1")


def _per_unit(rng: Random) -> Slots:
    units, each = rng.randint(1, 20) * rng.choice((100, 1000)), rng.randint(2, 20)
    return {"a": money(units * each), "b": f"{units:,}", "p": money(each)} | _cash(each)


def _break_even(rng: Random) -> Slots:
    units, each, cost = rng.randint(1, 20) * 100, rng.choice((2, 4, 5, 10, 20)), rng.randint(1, 9)
    price = each + cost * 5
    return {"a": money(units * each), "b": money(price), "c": money(cost * 5)} | _result(
        units, tail=" units"
    )


def _partners(rng: Random) -> Slots:
    mine, other = rng.choice(((3, 2), (2, 1), (1, 1), (3, 1), (4, 1), (5, 3), (2, 3), (1, 2)))
    unit = rng.randint(1, 12) * rng.choice((100, 1000))
    return {"a": money((mine + other) * unit), "r": f"{mine}:{other}"} | _cash(mine * unit)


def _cost_of_sales(rng: Random) -> Slots:
    unit, opening, bought = rng.choice((100, 1000)), rng.randint(1, 20), rng.randint(10, 60)
    closing = rng.randint(1, 9)
    return {
        "a": money(opening * unit),
        "b": money(bought * unit),
        "c": money(closing * unit),
    } | _cash((opening + bought - closing) * unit)


_COMPUTATIONS: dict[str, Numbers] = {
    "current ratio": _quotient("", ":1", (1, 1.5, 2, 2.5, 3, 4)),
    "debt-equity ratio": _quotient("", ":1", (0.5, 1, 1.5, 2, 2.5, 3)),
    "quick ratio": _quick,
    "stock turnover": _quotient("", " times", (2, 3, 4, 5, 6, 8, 10)),
    "gross profit ratio": _share,
    "net profit ratio": _share,
    "return on investment": _share,
    "earnings per share": _per_unit,
    "working capital": _difference,
    "owner's capital": _difference,
    "gross profit": _difference,
    "net profit": _difference,
    "margin of safety": _difference,
    "pass book balance": _sum,
    "total assets": _sum,
    "cost of goods sold": _cost_of_sales,
    "straight-line depreciation": _straight_line,
    "written down value": _percent_of((10, 20, 25, 50)),
    "simple interest": _percent_of((5, 10, 12, 20)),
    "trade discount": _percent_of((5, 10, 20, 25)),
    "tax on a sale": _percent_of((5, 12, 18, 28)),
    "provision for doubtful debts": _percent_of((2, 5, 10)),
    "consignee's commission": _percent_of((5, 10, 20)),
    "partner's share": _partners,
    "break-even point": _break_even,
}


def _work_break_even(rng: Random) -> Slots:
    slots = _break_even(rng)
    a, b, c = (slots[key] for key in "abc")
    units = slots["parts"].split("|")[1]
    return slots | {"working": f"{a} ÷ ({b} − {c}) = {units} units"}


def _work_half_year(rng: Random) -> Slots:
    unit, percent = rng.randint(2, 90) * 1000, rng.choice((10, 20, 40))
    return {
        "a": money(unit),
        "p": f"{percent}%",
        "working": f"{money(unit)} × {percent}% × ½ = {money(unit * percent // 200)}",
    }


def _work_average(rng: Random) -> Slots:
    first, second, paid = (rng.randint(1, 40) * 20 for _ in range(3))
    total = first + second + paid * 2
    return {
        "a": money(total),
        "b": money(paid),
        "working": f"({total:,} / 2) - {paid:,} = {total // 2 - paid:,}",
    }


def _work_discount(rng: Random) -> Slots:
    percent, years = rng.choice((5, 10, 20, 25)), rng.choice((1, 2))
    factor, power = (1 + percent / 100) ** -years, {1: "⁻¹", 2: "⁻²"}[years]
    value = rng.randint(1, 90) * 100
    return {
        "a": money(value),
        "p": f"{percent}%",
        "n": f"{years} year{'s' if years > 1 else ''}",
        "working": f"{value:,} × (1 + {percent / 100:g}){power} = {value * factor:,.2f}",
    }


def _work_markup(rng: Random) -> Slots:
    cost, percent = rng.randint(2, 95) * 100, rng.choice((10, 20, 25, 50))
    price = cost + cost * percent // 100
    return {
        "a": money(cost),
        "p": f"{percent}%",
        "working": f"{money(cost)} + {percent}% × {money(cost)} = {money(price)}",
    }


_FORMULAS: dict[str, Numbers] = {
    "break-even": _work_break_even,
    "half-year depreciation": _work_half_year,
    "half less expenses": _work_average,
    "present value": _work_discount,
    "selling price": _work_markup,
}
