"""What an answer is worth: pure functions of it and the question. Importing this loads NLTK, by way of rouge-score."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer

from rag.evaluate_measures import Scores, overlaps
from rag.evaluate_set import Answered, Question

SHORT = 10  # words; a longer answer is prose, and ROUGE-L scores it
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class _Words(Tokenizer):  # type: ignore[misc]
    """Words of any script; rouge-score's own tokenizer knows the letters a to z only."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())


_ROUGE = RougeScorer(["rougeL"], tokenizer=_Words())


def score_answer(question: Question, answer: Answered) -> Scores:
    """The measures of an answer: of refusing, and where it did not refuse, of its citations.

    To refuse an answerable question scores 0 in the measures of its text.
    """
    if question.unanswerable:
        return {"unanswerable refused": float(answer.refused), **_checked(answer)}
    scores: Scores = {"answerable refused": float(answer.refused), **_checked(answer)}
    if question.answers:
        text = "" if answer.refused else answer.text
        scores |= {name: measure(text, question.answers) for name, measure in _measures(question.answers).items()}
    if answer.cited and question.gold_docs:
        docs = {span.doc for span in answer.cited}
        scores["cited files right"] = len(docs & set(question.gold_docs)) / len(docs)
        if question.gold_spans:
            right = sum(overlaps(span, question.gold_spans) for span in answer.cited)
            scores["citation precision"] = right / len(answer.cited)
    return scores


def exact_match(text: str, answers: Sequence[str]) -> float:
    """1 if the text is one of the answers, both normalised as SQuAD does it."""
    return float(any(normalize(text) == normalize(answer) for answer in answers))


def contains_gold(text: str, answers: Sequence[str]) -> float:
    """1 if an answer stands in the text, word for word, both normalised as SQuAD does it."""
    return float(any(f" {normalize(answer)} " in f" {normalize(text)} " for answer in answers))


def token_f1(text: str, answers: Sequence[str]) -> float:
    """SQuAD's F1 of the words shared with an answer, the best over the answers."""
    return max(_f1(normalize(text).split(), normalize(answer).split()) for answer in answers)


def rouge_l(text: str, answers: Sequence[str]) -> float:
    """F-measure of the longest common subsequence of words (Lin 2004), the best over the answers."""
    return max(float(_ROUGE.score(answer, text)["rougeL"].fmeasure) for answer in answers)


def normalize(text: str) -> str:
    """SQuAD's official normalisation: lower case, no punctuation, no articles, single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _measures(answers: Sequence[str]) -> dict[str, Callable[[str, Sequence[str]], float]]:
    if all(len(answer.split()) <= SHORT for answer in answers):
        return {"exact match": exact_match, "token F1": token_f1, "contains gold": contains_gold}
    return {"ROUGE-L": rouge_l}


def _f1(words: Sequence[str], gold: Sequence[str]) -> float:
    if not words or not gold:
        return float(words == gold)
    shared = (Counter(words) & Counter(gold)).total()
    return 2 * shared / (len(words) + len(gold))


def _checked(answer: Answered) -> Scores:
    """What a reader can rely on in an answer; nothing of a refusal."""
    if answer.refused:
        return {"support": None, "wrong numbers unmarked": None}
    support = answer.supported / answer.sentences if answer.sentences else None
    return {"support": support, "wrong numbers unmarked": float(answer.wrong_numbers)}
