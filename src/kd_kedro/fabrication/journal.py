"""Journal entries and the kinds of accounts: answers have one canonical form."""

from functools import partial
from random import Random

from kd_kedro.fabrication.templates import Slots, Template, Vocabulary, account, amount, firm, money

KINDS = ["Real account", "Personal account", "Nominal account"]
ELEMENTS = ["Asset", "Liability", "Income", "Expense"]
BALANCES = ["Debit balance", "Credit balance"]
OUTLAYS = ["Capital expenditure", "Revenue expenditure"]


def journal_templates(words: Vocabulary) -> list[Template]:
    """Return one template per kind of transaction."""
    templates = []
    for line in words["journal"]:
        template, debit, credit, events = (part.strip() for part in line.split(" | "))
        wordings = [
            frame.replace("{event}", event)
            for event in events.split(" / ")
            for frame in words["journal_frames"]
        ]
        named = ("firm", "party") if "{party}" in events else ("firm",)
        templates.append(
            Template(
                name=f"journal: {template}",
                topic="journal entries",
                wordings=tuple(wordings),
                answer=f"Debit {debit} {{amount}}; Credit {credit} {{amount}}.",
                draw=partial(_transaction, words=words),
                names=named,
                cloze=f"When {{firm}} {events.split(' / ')[0]}, the [[{debit}]] account is debited "
                f"and the [[{credit}]] account is credited.",
            )
        )
    return templates


def classification_templates(words: Vocabulary) -> list[Template]:
    """Return the templates that ask for the class of an account or an outlay."""
    kinds = [entry for entry in _accounts(words) if entry["kind"]]
    draw = partial(_account, words=words)
    return [
        Template(
            "class: kind of account",
            "classification of accounts",
            (
                "In the books of {firm}, is {name} a real, personal or nominal account?",
                "Real, personal or nominal: what kind of account is {name} for {firm}?",
            ),
            "{kind}.",
            partial(draw, pool=kinds),
            names=("firm",),
            cloze="In the books of {firm}, {name} is a [[{kind}]].",
            options=lambda _rng, slots: (
                [kind for kind in KINDS if kind != slots["kind"]] + ["Valuation account"]
            ),
        ),
        Template(
            "class: element",
            "classification of accounts",
            (
                "For {firm}, is {name} an asset, a liability, an income or an expense?",
                "Asset, liability, income or expense: what is {name} for {firm}?",
            ),
            "{element}.",
            partial(draw, pool=_accounts(words)),
            names=("firm",),
            options=lambda _rng, slots: [each for each in ELEMENTS if each != slots["element"]],
        ),
        Template(
            "class: normal balance",
            "classification of accounts",
            (
                "Which balance does {name} normally show in the ledger of {firm}?",
                "In the ledger of {firm}, is the usual balance of {name} debit or credit?",
            ),
            "{balance}.",
            partial(draw, pool=_accounts(words)),
            names=("firm",),
            cloze="In the ledger of {firm}, {name} normally shows a [[{balance}]].",
        ),
        Template(
            "class: capital or revenue",
            "capital and revenue",
            (
                "{firm} spent {amount} on {outlay} {asset}. Is it capital or revenue expenditure?",
                "Capital or revenue expenditure: {firm} paid {amount} for {outlay} {asset}?",
            ),
            "{outlay_class} expenditure.",
            partial(_outlay, words=words),
            names=("firm",),
            cloze="{firm} treats the {amount} spent on {outlay} {asset} as "
            "[[{outlay_class}]] expenditure.",
            options=lambda _rng, slots: (
                [each for each in OUTLAYS if not each.startswith(slots["outlay_class"])]
                + ["Deferred income", "Contingent liability"]
            ),
        ),
        Template(
            "class: statement true or false",
            "classification of accounts",
            (
                "True or false: in the books of {firm}, {name} is {not}{claim}.",
                "State whether this is true or false: for {firm}, {name} is {not}{claim}.",
            ),
            "{truth}.",
            partial(_statement, pool=kinds, words=words),
            names=("firm",),
            negate=_negate,
        ),
    ]


def _transaction(rng: Random, words: Vocabulary) -> Slots:
    asset, expense, income = (rng.choice(words[k]) for k in ("assets", "expenses", "incomes"))
    return {
        "firm": firm(rng, words),
        "party": rng.choice(words["people"]),
        "city": rng.choice(words["cities"]),
        "amount": money(amount(rng)),
        "asset": asset,
        "Asset": account(asset),
        "expense": expense,
        "Expense": account(expense),
        "income": income,
        "Income": account(income),
    }


def _outlay(rng: Random, words: Vocabulary) -> Slots:
    outlay, outlay_class = rng.choice(words["expenditure"]).split(" | ")
    asset = rng.choice(words["outlay_assets"])
    drawn = {"outlay": outlay, "outlay_class": outlay_class, "asset": asset}
    return _transaction(rng, words) | drawn


def _accounts(words: Vocabulary) -> list[Slots]:
    """Return every account that can be asked about, with its classes."""
    rows = [(asset, "Real", "Asset") for asset in words["assets"]]
    rows += [tuple(line.split(" | ")) for line in words["other_accounts"]]
    for expense in words["expenses"]:
        rows += [
            (f"{expense} paid", "Nominal", "Expense"),
            (f"outstanding {expense}", "Personal", "Liability"),
            (f"prepaid {expense}", "Personal", "Asset"),
        ]
    for income in words["incomes"]:
        rows += [
            (f"{income} received", "Nominal", "Income"),
            (f"accrued {income}", "Personal", "Asset"),
            (f"{income} received in advance", "Personal", "Liability"),
        ]
    for person in words["people"]:
        rows += [
            (f"{person} (a customer)", "Personal", "Asset"),
            (f"{person} (a supplier)", "Personal", "Liability"),
        ]
    return [
        {
            "name": name,
            "kind": f"{kind} account" if kind != "-" else "",
            "element": element,
            "balance": BALANCES[element in {"Liability", "Income"}],
        }
        for name, kind, element in rows
    ]


def _account(rng: Random, pool: list[Slots], words: Vocabulary) -> Slots:
    return rng.choice(pool) | {"firm": firm(rng, words)}


def _statement(rng: Random, pool: list[Slots], words: Vocabulary) -> Slots:
    chosen = _account(rng, pool, words)
    right = f"a {chosen['kind'].lower()}"
    wrong = f"a {rng.choice([k for k in KINDS if k != chosen['kind']]).lower()}"
    claim, denied = rng.choice((right, wrong)), rng.choice((True, False))
    return chosen | {
        "claim": claim,
        "not": "not " if denied else "",
        "truth": "True" if (claim == right) != denied else "False",
    }


def _negate(slots: Slots) -> Slots:
    return slots | {
        "not": "" if slots["not"] else "not ",
        "truth": "False" if slots["truth"] == "True" else "True",
    }
