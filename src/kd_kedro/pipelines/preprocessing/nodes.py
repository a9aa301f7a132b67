"""Nodes of the preprocessing pipeline: from the user's sheet to open questions."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from tqdm import tqdm

from kd_kedro.curation.questions.answer_key import Choice, Match, match_answer
from kd_kedro.curation.questions.blanks import BLANK, canonical_blanks, is_question, question_defect
from kd_kedro.curation.questions.choices import read_choice, write_choice
from kd_kedro.curation.questions.open_question import is_open_question, open_answer, open_stem
from kd_kedro.curation.questions.question_format import read_formats, split_stem
from kd_kedro.curation.records.contract import (
    bring_back,
    check_records,
    identify,
    other_verdicts,
    quarantine,
    split_valid,
)
from kd_kedro.curation.records.lineage import record_stage
from kd_kedro.curation.records.reviewer import label_rows, review
from kd_kedro.curation.records.schema import STAGE, join_further, table
from kd_kedro.curation.repair.personal_data import screen, summarise
from kd_kedro.curation.repair.repair_config import RepairConfig
from kd_kedro.curation.repair.row_repair import repair_row
from kd_kedro.generation.protocol import Request, TextGenerator
from kd_kedro.pipelines.preprocessing.params import (
    ChoiceParams,
    PersonalDataParams,
    ReviewParams,
    RewriteParams,
    ValidationParams,
)
from kd_kedro.text.language import asks, foreign_language

logger = logging.getLogger(__name__)
Tables2 = tuple[pd.DataFrame, pd.DataFrame]
Tables3 = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def validate_rows(
    raw_qa: pd.DataFrame,
    mended_qa: pd.DataFrame,
    params: ValidationParams,
    review_params: ReviewParams,
) -> Tables3:
    """Give every record its row_id; set aside those that break the contract.

    Returns:
        `validated_qa`, the quarantined rows, `validation_events`.

    Raises:
        ValueError: No record is usable, a mended row is of another sheet, or no known verdict
            is one that rejects.
    """
    _check_verdicts(params, review_params)
    identified = identify(raw_qa)
    records, mended = bring_back(identified, mended_qa)
    reasons = check_records(records, params.verdicts)
    _say_verdicts(records, params.verdicts)
    valid, quarantined = split_valid(records, reasons, mended)
    if valid.empty:
        why = f"; the first: {next(iter(reasons.values()))}" if reasons else ""
        sheet = raw_qa["source"].iloc[0] if len(raw_qa) else "the sheet"
        raise ValueError(f"{sheet} has no usable row{why}; mend the sheet and run again")
    events = record_stage(
        "validation",
        identified,
        valid,
        quarantined=reasons,
        reasons=dict.fromkeys(mended - reasons.keys(), "mended"),
    )
    return valid, quarantined, events


def _say_verdicts(records: pd.DataFrame, known: Sequence[str]) -> None:
    """Log which verdicts count as one of the known words, and which as none."""
    said = records["verdict"].str.strip().str.casefold()
    meanings = other_verdicts(records, known)
    counted = {
        verdict: f"{verdict[:40]!r} ({count})"
        for verdict, count in said.value_counts().items()
        if verdict in meanings
    }
    for word in sorted({meaning for meaning in meanings.values() if meaning}):
        read = [text for verdict, text in counted.items() if meanings[verdict] == word]
        logger.info("verdicts read as %s: %s", word, ", ".join(read))
    if unknown := [text for verdict, text in counted.items() if not meanings[verdict]]:
        more = f" and {len(unknown) - 5} others" if len(unknown) > 5 else ""
        logger.warning(
            "verdicts that are not known, whose rows are set aside: %s%s; known are %s and blank: "
            "add words of your reviewers to preprocessing.validation.verdicts, and those that "
            "reject a row to preprocessing.review.reject_verdicts",
            ", ".join(unknown[:5]),
            more,
            ", ".join(known),
        )


def _check_verdicts(validation: ValidationParams, reviewing: ReviewParams) -> None:
    known = {verdict.casefold() for verdict in validation.verdicts}
    unknown = {verdict.casefold() for verdict in reviewing.reject_verdicts} - known
    if unknown:
        raise ValueError(
            f"preprocessing.review.reject_verdicts has {', '.join(sorted(unknown))}, which "
            f"preprocessing.validation.verdicts ({', '.join(validation.verdicts)}) does not know: "
            "name the words your reviewers use in both"
        )


def review_rows(validated_qa: pd.DataFrame, params: ReviewParams) -> Tables3:
    """Do what the reviewers said: drop what they rejected, take over their corrected questions.

    Returns:
        `reviewed_qa`, `review_labels`, `review_events`.

    Raises:
        ValueError: Reviewers rejected every row.
    """
    rows, dropped, reasons = review(
        validated_qa,
        reject_verdicts=params.reject_verdicts,
        reject_corrections=params.reject_corrections,
        min_question_words=params.min_question_words,
    )
    if rows.empty:
        raise ValueError(
            f"reviewers rejected all {len(validated_qa)} usable rows of "
            f"{validated_qa['source'].iloc[0]}: check its verdict column, or the parameter "
            "preprocessing.review.reject_verdicts"
        )
    reviewed = table(STAGE, read_formats(rows)[STAGE].to_numpy().tolist())
    events = record_stage("review", validated_qa, reviewed, dropped=dropped, reasons=reasons)
    return reviewed, label_rows(validated_qa, dropped), events


def clean_text(reviewed_qa: pd.DataFrame, params: RepairConfig) -> Tables3:
    """Repair the text of questions and answers; set aside what cannot be repaired.

    Returns:
        `cleaned_qa`, the quarantined rows, `cleaning_events`, which tell of each repair of a row
        what stood there before and after.
    """
    texts: dict[str, list[str]] = {"question": [], "answer": []}
    reasons: dict[str, str] = {}
    changes: dict[str, list[dict[str, Any]]] = {}
    records = reviewed_qa.to_dict("records")
    for row in tqdm(records, desc="repairing text", disable=None):
        repaired = repair_row(row["question"], row["answer"], params)
        texts["question"].append(repaired.question)
        texts["answer"].append(repaired.answer)
        if repaired.changes:
            changes[row["row_id"]] = repaired.changes
        if repaired.defect:
            reasons[row["row_id"]] = f"{row['source']}, line {row['line']}: {repaired.defect}"
    kept = ~reviewed_qa["row_id"].isin(list(reasons))
    cleaned = read_formats(reviewed_qa.assign(**texts)[kept].reset_index(drop=True), reviewed_qa)
    # A quarantined row keeps the text it came with: a person must see what there was.
    quarantined = quarantine(reviewed_qa[~kept], "cleaning", reasons)
    changes = {row: made for row, made in changes.items() if row not in reasons}
    why = {
        row: "repaired: " + ", ".join(dict.fromkeys(each["repair"] for each in made))
        for row, made in changes.items()
    }
    events = record_stage(
        "cleaning",
        reviewed_qa,
        cleaned,
        quarantined=reasons,
        reasons={row: reason.replace("_", " ") for row, reason in why.items()},
        evidence={row: {"repairs": made} for row, made in changes.items()},
    )
    return cleaned, quarantined, events


def collect_quarantined(
    validated_qa: pd.DataFrame,
    validation_quarantined: pd.DataFrame,
    cleaning_quarantined: pd.DataFrame,
) -> pd.DataFrame:
    """Put the quarantined rows of the stages into one table, to be mended in a copy.

    Rows that the cleaning set aside have their further columns again, as they were validated.
    """
    whole = join_further(cleaning_quarantined, validated_qa)
    return pd.concat([validation_quarantined, whole], ignore_index=True)


def screen_personal_data(
    cleaned_qa: pd.DataFrame, validated_qa: pd.DataFrame, params: PersonalDataParams
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Flag personal data, count it and, where parameters say so, mask it.

    Further columns of `validated_qa` are screened with the texts of their row.

    Returns:
        `screened_qa`, `personal_data`, `personal_data_summary`, `personal_data_events`.
    """
    masked, findings, evidence = screen(
        join_further(cleaned_qa, validated_qa), params.detect, params.mask, params.phone_regions
    )
    screened = read_formats(masked, cleaned_qa)
    hidden = findings[findings["kind"].isin(params.mask)]
    reasons = {
        str(row): f"personal data masked in {', '.join(columns.unique())}"
        for row, columns in hidden.groupby("row_id")["column"]
    }
    events = record_stage("personal_data", cleaned_qa, screened, reasons=reasons, evidence=evidence)
    return screened, findings, summarise(findings, params.detect, params.mask), events


def convert_blanks(
    screened_qa: pd.DataFrame, text_generator: TextGenerator, params: RewriteParams
) -> Tables2:
    """Turn fill-in-the-blank statements into questions; option blocks stay as they are.

    Returns:
        `fitb_rephrased`, `fitb_events`.
    """
    converted = screened_qa[STAGE].copy()
    reasons: dict[str, str] = {}
    requests, places = [], []
    for index, row in enumerate(screened_qa.to_dict("records")):
        if "fitb" not in row["format"]:
            continue
        choice = read_choice(row["options"])
        stem, options = split_stem(row["question"], choice)
        statement, _ = canonical_blanks(stem)
        if is_question(statement):
            reasons[row["row_id"]] = "asks already"
        else:
            places.append((index, row["row_id"], statement, choice, options))
            context = {"answer": row["answer"], "options": _listed(choice)}
            requests.append(Request("fitb", statement, context, params.seed))
    outcomes = text_generator.generate(requests)
    evidence: dict[str, Mapping[str, object]] = {}
    for (index, row_id, statement, choice, options), outcome in zip(places, outcomes, strict=True):
        evidence[row_id] = outcome.evidence
        defect = question_defect(statement, outcome.text) if outcome.status == "ok" else ""
        if outcome.status == "ok" and not defect:
            converted.at[index, "question"] = outcome.text + options
            opened = replace(choice, stem=outcome.text) if choice else None
            converted.at[index, "options"] = write_choice(opened)
            reasons[row_id] = outcome.reason
        else:
            why = defect or f"{outcome.status}: {outcome.reason}"
            reasons[row_id] = f"left as it is: {why}"
    return converted, record_stage(
        "fitb", screened_qa, converted, reasons=reasons, evidence=evidence
    )


def convert_choices(
    fitb_rephrased: pd.DataFrame,
    text_generator: TextGenerator,
    choosing: ChoiceParams,
    rewriting: RewriteParams,
) -> Tables2:
    """Turn multiple-choice rows into open questions with the chosen option as the answer.

    Returns:
        `converted_mcq`, `mcq_events`.
    """
    converted = fitb_rephrased.copy()
    reasons: dict[str, str] = {}
    evidence: dict[str, Mapping[str, object]] = {}
    chosen: list[tuple[int, str, Choice, Match]] = []
    for index, row in enumerate(fitb_rephrased.to_dict("records")):
        if "mcq" not in row["format"]:
            continue
        choice = read_choice(row["options"])
        match = (
            match_answer(choice, row["answer"], choosing.min_overlap, choosing.min_margin)
            if choice
            else None
        )
        if choice is None or match is None:
            reasons[row["row_id"]] = "abstained: the answer is none of the options with certainty"
            continue
        label = choice.labels[match.index]
        evidence[row["row_id"]] = {"options": len(choice.options), "chosen": label, "by": match.how}
        reasons[row["row_id"]] = f"option chosen by {match.how}"
        chosen.append((index, row["answer"], choice, match))
    opened = _open_questions(
        [
            (choice, match.index, open_answer(choice, match, answer))
            for _, answer, choice, match in chosen
        ],
        text_generator,
        rewriting,
    )
    for (index, answer, choice, match), (question, facts) in zip(chosen, opened, strict=True):
        row_id = str(converted.at[index, "row_id"])
        evidence[row_id] = {**evidence[row_id], **facts}
        if question:
            converted.at[index, "question"] = question
        else:
            reasons[row_id] += f"; the question is in {foreign_language(choice.stem)} and stays"
        converted.at[index, "answer"] = open_answer(choice, match, answer)
    return converted, record_stage(
        "mcq", fitb_rephrased, converted, reasons=reasons, evidence=evidence
    )


def _listed(choice: Choice | None) -> str:
    return "; ".join(choice.options) if choice else ""


def _open_questions(
    choices: list[tuple[Choice, int, str]], text_generator: TextGenerator, params: RewriteParams
) -> list[tuple[str, Mapping[str, object]]]:
    """Return each stem as a question, with who made it or why it stays as it is.

    What breaks off is completed. Which stems need their options is known of English alone. One in
    another language is '' unless the generator asks it.
    """
    questions = [
        "" if foreign_language(choice.stem) else open_stem(choice, index)
        for choice, index, _ in choices
    ]
    evidence: list[Mapping[str, object]] = [{} for _ in choices]
    unfinished = [
        n
        for n, question in enumerate(questions)
        if not (is_open_question(question) if question else asks(choices[n][0].stem))
    ]
    requests = []
    for n in unfinished:
        choice, _, answer = choices[n]
        statement, blanks = canonical_blanks(choice.stem)
        if not blanks:
            statement = f"{choice.stem.rstrip(' .:-')} {BLANK}."
        context = {"options": _listed(choice), "answer": answer}
        requests.append(Request("mcq", statement, context, params.seed))
    for n, request, outcome in zip(
        unfinished, requests, text_generator.generate(requests), strict=True
    ):
        defect = question_defect(request.text, outcome.text) if outcome.status == "ok" else ""
        if outcome.status == "ok" and not defect:
            evidence[n] = outcome.evidence
            questions[n] = outcome.text
        else:
            why = defect or f"{outcome.status}: {outcome.reason}"
            evidence[n] = {**outcome.evidence, "not_opened": why}
    return list(zip(questions, evidence, strict=True))
