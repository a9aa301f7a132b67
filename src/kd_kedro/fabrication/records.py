"""The rows of the sample: drawn, given their defects and put in order."""

from collections.abc import Callable, Sequence
from itertools import groupby
from random import Random

from kd_kedro.fabrication import closed_formats as formats
from kd_kedro.fabrication import copies, damage
from kd_kedro.fabrication.computations import computation_templates, formula_templates
from kd_kedro.fabrication.concepts import concept_templates, off_topic_templates
from kd_kedro.fabrication.drawing import Drawer, Row, plain_row
from kd_kedro.fabrication.fabrication_config import FabricationParameters
from kd_kedro.fabrication.journal import classification_templates, journal_templates
from kd_kedro.fabrication.templates import MONEY, Item, Template, Vocabulary

Weighted = list[tuple[Template, float]]

_SIGNS = ("₹ ", "₹", "€", "$", "£", "₹ ")
_REJECTED = ("No",) * 17 + ("no", "no", "NO ", " No")
_APPROVED = ("Yes",) * 40 + ("yes", "YES ")
_REMARKS = ("no picture", "practice exercise", "unclear", "relook at the question", "")
_MISSING = ("Refer to Table F. ", "As per the figure above: ", "In method 3, ", "See part (ii). ")


def make_rows(parameters: FabricationParameters, words: Vocabulary) -> list[Row]:
    """Return the rows of the sheet in their order.

    Args:
        parameters: Seed, size and shares.
        words: The vocabulary.

    Raises:
        ValueError: The vocabulary is too small for so many different questions.
    """
    rng = Random(parameters.seed)
    quota = _Quota(parameters)
    drawer = Drawer(rng)
    rows = _originals(drawer, quota, words)
    copied = _plant_copies(drawer, rows, quota)
    _plant_rejections(rng, rows, quota)
    _plant_breaks(rng, rows, quota)
    ordered = _put_in_order(rng, rows + _off_topic(drawer, quota, words), copied)
    _plant_currency(rng, ordered, quota)
    _plant_characters(rng, ordered, quota)
    _review(rng, ordered, quota)
    return ordered


class _Quota:
    """How many rows of each kind the sheet has."""

    def __init__(self, parameters: FabricationParameters) -> None:
        rows, shares = parameters.rows, parameters.shares.model_dump()
        self.of = {name: round(share * rows) for name, share in shares.items()}
        self.of["contradictory"] -= self.of["contradictory"] % 2
        self.gradable = parameters.gradable
        self.unreviewed = round(parameters.unreviewed * rows)
        self.hidden_off_topic = round(self.unreviewed * parameters.unreviewed_off_topic)
        self.rejected_off_topic = self.of["off_topic"] - self.hidden_off_topic
        self.rejected_on_topic = self.of["reviewer_reject"] - self.rejected_off_topic
        copied = ("exact_duplicate", "near_duplicate", "decoy")
        self.on_topic = (
            rows
            - self.of["off_topic"]
            - sum(self.of[name] for name in copied)
            - self.of["contradictory"] // 2
        )
        self.blanks_with_options = min(self.of["mcq"] // 8, self.of["fitb"] // 4)


def _originals(drawer: Drawer, quota: _Quota, words: Vocabulary) -> list[Row]:
    """Return the on-topic rows that are no copies, some as blanks or multiple choice."""
    journals, classes = journal_templates(words), classification_templates(words)
    computed, free = computation_templates(words), concept_templates(words)
    gradable: Weighted = [(each, 50 / len(journals)) for each in journals]
    gradable += [(each, 30 / len(computed)) for each in computed]
    gradable += [(each, 20 / len(classes)) for each in classes]
    everything = gradable + [(each, weight * 1.5) for each, weight in free]
    rows = []
    both = [(each, weight) for each, weight in everything if each.options and each.cloze]
    for item in drawer.draw(quota.blanks_with_options, both):
        rows.append(_blank_with_options(drawer.rng, item))
    optional = [(each, weight) for each, weight in everything if each.options]
    for item in drawer.draw(quota.of["mcq"] - len(rows), optional):
        question, answer, right = formats.multiple_choice(drawer.rng, item)
        rows.append(Row(item, question, answer, ["mcq"], right, item.template.gradable))
    clozes = [(each, weight) for each, weight in everything if each.cloze]
    for item in drawer.draw(quota.of["fitb"] - quota.blanks_with_options, clozes):
        question, answer, filling = formats.fill_in_the_blank(drawer.rng, item)
        exact = item.template.gradable and answer == filling
        rows.append(Row(item, question, answer, ["fitb"], filling, exact))
    worked: Weighted = [(each, 1.0) for each in formula_templates(words)]
    for item in drawer.draw(quota.of["formula"], worked):
        row = plain_row(item)
        row.defects.append("formula")
        rows.append(row)
    plain = quota.on_topic - len(rows)
    exact_count = max(
        0, min(plain, round(quota.on_topic * quota.gradable) - sum(row.gradable for row in rows))
    )
    rows += map(plain_row, drawer.draw(exact_count, gradable))
    return rows + [plain_row(item) for item in drawer.draw(plain - exact_count, list(free))]


def _blank_with_options(rng: Random, item: Item) -> Row:
    sentence, _, _ = formats.fill_in_the_blank(rng, item)
    question, answer, right = formats.multiple_choice(rng, item, stem=sentence)
    return Row(item, question, answer, ["fitb", "mcq"], right, item.template.gradable)


def _off_topic(drawer: Drawer, quota: _Quota, words: Vocabulary) -> list[Row]:
    templates: Weighted = [(each, 1.0) for each in off_topic_templates(words)]
    rows = []
    for number, item in enumerate(drawer.draw(quota.of["off_topic"], templates)):
        row = plain_row(item)
        row.defects.append("off_topic")
        if number < quota.hidden_off_topic:
            row.verdict = ""
        else:
            _reject(drawer.rng, row)
        rows.append(row)
    return rows


def _plant_copies(drawer: Drawer, rows: Sequence[Row], quota: _Quota) -> list[tuple[Row, Row]]:
    """Return pairs of a row and the later row made from it; groups are marked on both."""
    rng, pairs = drawer.rng, list[tuple[Row, Row]]()
    plain = [row for row in rows if row.untouched]
    makers: dict[str, Callable[[Row], Row | None]] = {
        "exact_duplicate": lambda row: copies.exact_duplicate(rng, row),
        "near_duplicate": lambda row: copies.near_duplicate(rng, row),
        "contradictory": lambda row: copies.contradiction(rng, row, plain),
        "decoy": lambda row: copies.decoy(drawer, row),
    }
    for defect, make in makers.items():
        wanted = quota.of[defect] // (2 if defect == "contradictory" else 1)
        made = 0
        for source in rng.sample(plain, len(plain)):
            if made == wanted:
                break
            copy = make(source) if source.untouched else None
            if copy is None:
                continue
            made += 1
            source.group = copy.group = f"{defect}-{made:04d}"
            if defect == "contradictory":
                source.defects.append(defect)
                source.gradable = False
            pairs.append((source, copy))
        if made < wanted:
            raise ValueError(
                f"only {made} of {wanted} rows with '{defect}' could be made: lower "
                f"fabrication.shares.{defect} or raise fabrication.rows"
            )
    return pairs


def _plant_rejections(rng: Random, rows: Sequence[Row], quota: _Quota) -> None:
    untouched = [row for row in rows if row.untouched]
    for row in _take(rng, untouched, quota.rejected_on_topic, "reviewer_reject"):
        row.question = rng.choice(_MISSING) + row.question
        row.remarks = rng.choice(_REMARKS)
        row.gradable = False
        _reject(rng, row)


def _reject(rng: Random, row: Row) -> None:
    row.defects.append("reviewer_reject")
    if rng.random() < 0.08:
        row.verdict, row.correction = "Yes", "invalid"
    else:
        row.verdict = rng.choice(_REJECTED)


def _plant_breaks(rng: Random, rows: Sequence[Row], quota: _Quota) -> None:
    """Mark rows whose answer will stand in the file without its quotes, or has lost letters."""
    with_comma = [
        row for row in rows if row.untouched and "," in row.answer and MONEY not in row.answer
    ]
    for row in _take(rng, with_comma, quota.of["comma_break"], "comma_break"):
        row.defects.append("comma_break")
        row.broken = "shifted" if row.answer.count(",") == 1 and rng.random() < 0.6 else "extra"
        row.gradable = False
    untouched = [row for row in rows if row.untouched]
    for row in _take(rng, untouched, quota.of["unrepairable"], "unrepairable"):
        row.defects.append("unrepairable")
        row.gradable = False
        cell = rng.choice(("question", "answer"))
        setattr(row, cell, damage.lose_letters(rng, getattr(row, cell)))


def _put_in_order(rng: Random, rows: Sequence[Row], copied: Sequence[tuple[Row, Row]]) -> list[Row]:
    """Return the rows in blocks of one topic, as sheets grow, each copy after its source."""
    blocks = []
    shuffled = rng.sample(rows, len(rows))
    for _, same in groupby(sorted(shuffled, key=lambda r: r.item.topic), lambda r: r.item.topic):
        rest = list(same)
        while rest:
            size = rng.randint(4, 24)
            blocks.append(rest[:size])
            rest = rest[size:]
    rng.shuffle(blocks)
    ordered = [row for block in blocks for row in block]
    place = {id(row): float(at) for at, row in enumerate(ordered)}
    for source, copy in copied:
        place[id(copy)] = rng.uniform(place[id(source)] + 0.5, len(ordered))
        ordered.append(copy)
    return sorted(ordered, key=lambda row: place[id(row)])


def _plant_currency(rng: Random, rows: Sequence[Row], quota: _Quota) -> None:
    """Give the chosen rows a currency sign; copies of one another stay alike."""
    paid = [
        row
        for row in rows
        if MONEY in row.question + row.answer and not row.group and not row.broken
    ]
    for row in _take(rng, paid, quota.of["currency"], "currency"):
        row.defects.append("currency")
        _settle(row, rng.choice(_SIGNS))
    for row in rows:
        _settle(row, "")


def _settle(row: Row, sign: str) -> None:
    row.question, row.answer, row.expected = (
        text.replace(MONEY, sign) for text in (row.question, row.answer, row.expected)
    )


def _plant_characters(rng: Random, rows: Sequence[Row], quota: _Quota) -> None:
    """Damage one cell: of gradable rows and of those in a format the question."""
    hurt = {"comma_break", "unrepairable", "contradictory", "near_duplicate"}
    whole = [row for row in rows if not hurt & set(row.defects)]
    broken = _take(rng, whole, quota.of["mojibake"], "mojibake")
    rest = [row for row in whole if not any(row is each for each in broken)]
    for row in broken:
        cell, text = _cell(rng, row)
        text = damage.typographic(rng, text)
        _hurt(row, "mojibake", cell, text, damage.mojibake(text))
    for row in _take(rng, rest, quota.of["unicode"], "unicode"):
        cell, text = _cell(rng, row)
        _hurt(row, "unicode", cell, text, damage.odd_unicode(rng, text))


def _cell(rng: Random, row: Row) -> tuple[str, str]:
    fixed = row.gradable or row.expected or "formula" in row.defects or len(row.answer) < 40
    cell = "question" if fixed else rng.choice(("question", "answer"))
    return cell, getattr(row, cell)


def _hurt(row: Row, defect: str, cell: str, sound: str, damaged: str) -> None:
    row.defects.append(defect)
    row.expected = row.expected or sound
    setattr(row, cell, damaged)


def _review(rng: Random, rows: Sequence[Row], quota: _Quota) -> None:
    approved = [row for row in rows if row.verdict == "Yes" and not row.correction]
    open_rows = [row for row in approved if not row.broken]
    for row in _take(rng, open_rows, quota.unreviewed - quota.hidden_off_topic, "unreviewed"):
        row.verdict = ""
    for row in approved:
        if row.verdict:
            row.verdict = rng.choice(_APPROVED)
            row.remarks = row.remarks or ("added context" if rng.random() < 0.02 else "")


def _take(rng: Random, rows: Sequence[Row], count: int, name: str) -> list[Row]:
    if count > len(rows):
        raise ValueError(
            f"only {len(rows)} of {count} rows can carry '{name}': lower its share or raise "
            "fabrication.rows"
        )
    return rng.sample(rows, count)
