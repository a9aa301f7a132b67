"""A toy sheet of journal entries, split and augmented as `augmented_qa` is."""

import random

import pandas as pd

from kd_kedro.curation.records.schema import SPLIT, table

PARTIES = ["Mehta", "Rao", "Iyer", "Khan", "Das", "Bose", "Nair", "Gill"]
GOODS = ["Furniture", "Machinery", "Stationery", "Land", "Computers", "Vehicles"]


def augmented_qa(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    """Return journal entries: 70 % train with a casual version each, 15 % each of the others."""
    chooser = random.Random(seed)
    records = []
    for number in range(rows):
        goods, party = chooser.choice(GOODS), chooser.choice(PARTIES)
        amount = f"{chooser.randint(10, 99)},000"
        asked = f"Pass the journal entry: bought {goods.lower()} from {party} for ₹{amount}."
        answer = f"Debit {goods} {amount}; Credit {party} {amount}."
        place = chooser.random()
        split = "train" if place < 0.7 else "validation" if place < 0.85 else "test"
        row = [f"r{number:05d}", f"f{number:05d}", split, "original", asked, answer, "toy"]
        records.append(row)
        if split == "train":
            casual = asked.replace("Pass the journal entry", "How do I book this")
            records.append([f"{row[0]}-casual", row[1], split, "casual", casual, answer, "toy"])
    return table(SPLIT, records)
