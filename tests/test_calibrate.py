import json
import random

import pytest

from rag.calibrate import fit, fit_lines
from rag.errors import EvaluationError
from rag.refusal import SHIPPED, Calibration, Signals, dump_calibration, load_calibration


def made(count: int, seed: int = 1) -> tuple[list[Signals], list[bool]]:
    """Signals of questions, of which a calibration of (-1, 2, 3) says how likely each is answerable."""
    truth, chance = Calibration(-1, 2, 3), random.Random(seed)
    signals = [Signals(chance.uniform(0.02, 0.98), chance.uniform(0, 0.45)) for _ in range(count)]
    return signals, [chance.random() < truth.probability(one) for one in signals]


def test_far_passages_need_a_surer_model() -> None:
    far, near, sure = (SHIPPED.probability(Signals(*pair)) for pair in ((0.7, 0.2), (0.7, 0.5), (0.95, 0.5)))
    assert far < 0.35 < near < sure
    assert 0 < SHIPPED.probability(Signals(0.0, -1.0)) < SHIPPED.probability(Signals(1.0, 1.0)) < 1


def test_the_fit_finds_what_made_the_questions() -> None:
    fitted = fit(*made(4000)).calibration
    assert fitted.yes == pytest.approx(2, abs=0.3)
    assert fitted.cosine == pytest.approx(3, abs=0.8)


def test_the_curve_trades_one_kind_of_refusal_for_the_other() -> None:
    head, auc, numbers, _, *curve = fit_lines(fit(*made(400), passed_over=3))
    assert head.endswith("3 passed over")
    assert 0.8 < float(auc.split()[1]) < 1
    assert numbers.startswith("fitted: constant -")
    rates = [[float(cell.rstrip("%")) for cell in line.split()[1:]] for line in curve]
    assert rates == sorted(rates)
    assert all(right > wrong for right, wrong in rates[1:])


def test_too_few_questions_are_refused_with_their_number() -> None:
    with pytest.raises(EvaluationError, match="3 answerable, 9 not"):
        fit([Signals(0.5, 0.5)] * 12, [True] * 3 + [False] * 9)


def test_a_library_keeps_a_calibration_for_its_models_only() -> None:
    own = Calibration(0.25, 1.0, 2.0)
    kept = dump_calibration(own, "mpnet, qwen")
    assert load_calibration(kept, "mpnet, qwen") == own
    assert load_calibration(kept, "mpnet, llama") == load_calibration(None, "mpnet, qwen") == SHIPPED
    older = json.dumps(own._asdict() | {"models": "mpnet, qwen"})  # over all passages at once
    assert load_calibration(older, "mpnet, qwen") == SHIPPED
