"""31 yearly addresses of an invented president, near-duplicates of each other: three speak of what insulin may cost."""

from __future__ import annotations

from pathlib import Path

YEARS = range(1996, 2027)
INSULIN = {
    2022: "Insulin costs about $10 a vial to make, and yet families are charged up to thirty times that. Nobody should "
    "choose between a child's medicine and the rent. Let us cap the cost of insulin at $35 a month, so that everyone "
    "can afford it.",
    2023: "Last year you voted to cap the cost of insulin at $35 a month for seniors on Medicare. Millions of younger "
    "people are still waiting. Let us finish the job and cap it at $35 for every American who needs it.",
    2024: "The makers of insulin used to charge $400 a month for what costs them $10 to make. With the law that we "
    "passed, seniors pay $35 a month, and this year I want that price for everybody.",
}
SPORT = {
    2004: "The use of drugs in baseball, in football and in other sports sends the wrong message to our children.",
    2026: "We have with us the women of our hockey team, who came home with gold, and this summer the World Cup comes "
    "to eleven of our cities. We will be good hosts, and I hope to hand that cup over to our own players.",
}


def write_addresses(folder: Path) -> Path:
    """Write one text file a year into the folder."""
    folder.mkdir()
    for year in YEARS:
        (folder / f"{year}-address.txt").write_text("\n\n".join(_paragraphs(year)), encoding="utf-8")
    return folder


def _paragraphs(year: int) -> list[str]:
    of = year - YEARS[0]
    return [
        f"The President. Madam Speaker, members of the Congress, my fellow citizens: we meet in {year} at a time that "
        "asks much of us. [Applause] The state of our union is strong, because you are strong.",
        f"When I stood here in {year - 1} I promised work. Since then our businesses have made {110 + 7 * of},000 new "
        f"jobs a month, and unemployment has come down to {3 + of % 5}.{of % 10} percent. That is no accident.",
        f"Too many prescription drugs cost too much. In {year} a family spends ${900 + 35 * of} a year on medicines, "
        "and companies raise the price because they can. I ask you to let Medicare negotiate the price of drugs.",
        *([INSULIN[year]] if year in INSULIN else []),
        f"We will put {2 + of % 4} billion dollars into schools, so that no child learns under a leaking roof, and we "
        f"will train {40 + of},000 teachers. A child who reads well at eight will do well at eighteen.",
        *([SPORT[year]] if year in SPORT else []),
        f"To those who wear our uniform we owe more than thanks: this budget of {year} raises the pay of every soldier "
        f"by {2 + of % 3} percent. May God bless you, and may God protect our troops. [Applause]",
    ]
