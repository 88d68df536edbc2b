"""The texts of the PDFs in sample_docs/, in the marks that make_sample_pdfs.py lays out."""

from __future__ import annotations

# One text for both editions of the manual: only these figures differ, which is what makes them easy to mix up.
YEARS = ("2025", "2026")
FACTS: dict[str, tuple[str, str]] = {
    "year": YEARS,
    "issued": ("November 2024", "October 2025"),
    "document": ("TB-UM-K3-25", "TB-UM-K3-26"),
    "litres": ("1.5", "1.7"),
    "watts": ("2200", "2600"),
    "minimum": ("0.4", "0.3"),
    "presets": ("four temperatures: 70, 80, 90 and 100 °C", "five temperatures: 60, 70, 80, 90 and 100 °C"),
    "warm": ("20 minutes", "30 minutes"),
    "soft": ("16 weeks", "12 weeks"),
    "medium": ("8 weeks", "6 weeks"),
    "hard": ("4 weeks", "3 weeks"),
    "acid": ("30 g", "25 g"),
    "heat": ("70 °C", "60 °C"),
    "batch": ("24-W48", "25-W41"),
    "soak": ("30 minutes", "20 minutes"),
    "rinses": ("three times", "twice"),
    "filter": ("nylon filter (TB-F21)", "steel filter (TB-F26)"),
    "filter_life": ("6 months", "12 months"),
    "boil": ("4 minutes 35 seconds", "4 minutes 20 seconds"),
    "noise": ("72 dB(A)", "66 dB(A)"),
    "weight": ("1.15 kg", "1.28 kg"),
    "cord": ("0.75 m", "0.90 m"),
    "standby": ("0.8 W", "0.4 W"),
    "base": ("TB-B25", "TB-B26"),
    "helpline": ("01632 960140", "01632 960175"),
    "pause": ("15 minutes", "10 minutes"),
    "news": (
        "This edition replaces the one of 2024. The section on error codes was added, and the drawing of the parts was "
        "redrawn.",
        "This edition replaces the one of 2025. The body is larger, the element is stronger, a fifth temperature was "
        "added, and the descaling table was rewritten after tests in our laboratory.",
    ),
    "e3": (
        "",
        "| E3 | Kettle not seated on the base, or contacts wet. Lift it, wipe the contacts dry, set it down again. |",
    ),
}

MANUAL = """
# 1 Safety

Read this section before you plug the kettle in, and keep the manual. The K3 is made for heating drinking water in a
household. Any other use is at your own risk.

- Connect the base only to an earthed socket of 220–240 V. Do not use an extension lead that serves another appliance.
- Never put the base, the cable or the plug into water.
- Do not fill the kettle above the mark MAX. Boiling water can be thrown out of the spout.
- Keep the lid closed while the water is heating. The steam is hot enough to scald.
- Children of eight years and over may use the kettle if they are supervised. Younger children must be kept away from
it.
- Pull out the plug before you clean the base, and when you leave the house for more than a day.

! Danger of burns. The body of the kettle stays hot for up to 25 minutes after boiling. Hold it by the handle only.

# 2 Parts

[kettle]

| Letter | Part |
| A | Lid with spring |
| B | Spout with {filter} |
| C | Body, {litres} litres, with water gauge on both sides |
| D | Handle with lid button |
| E | Power base {base} with display and buttons |

The box also holds this manual, a leaflet in German, French and Dutch, and two descaling sachets.

# 3 Before first use

1. Remove all packing, including the card ring under the lid.
2. Wind the cable so that it just reaches the socket. The rest is stored under the base.
3. Fill the kettle to MAX with cold water, boil it, and pour the water away. Do this twice. A slight smell is normal the
first time and does no harm.
4. Write the date of purchase and the batch code on the last page. The code is printed on the underside of the base and
looks like {batch}: the year and the week in which the base was made.

# 4 Everyday use

## Filling

Fill the kettle through the open lid or through the spout. The K3 of the {year} edition holds {litres} litres at the
mark MAX. Do not heat less than {minimum} litres: below that the sensor cannot measure the temperature reliably.

## Boiling

Set the kettle on the base and press the main switch. The display shows the temperature of the water in steps of one
degree. A full kettle of water at 15 °C boils in {boil}. One beep tells you that the water is ready, and the kettle
switches itself off.

If you lift the kettle from the base while it is heating, it stops. Set it back within 60 seconds and it carries on by
itself; after that you must press the main switch again.

## Choosing a temperature

The {year} edition of the K3 has {presets}. Press + or – until the display shows the one you want. The kettle keeps your
choice until the plug is pulled out.

| Drink | Preset |
| Green tea, sencha | 80 °C |
| Oolong, white coffee | 90 °C |
| Black tea, infusions, hot-water bottles | 100 °C |

Water that was hotter than the preset is not cooled. The display shows the higher temperature until it has fallen by
itself.

## Keeping warm

Press the keep-warm button before or during heating. The kettle then holds the chosen temperature for {warm} and ends
with two short beeps. At 100 °C the water is held at 95 °C, so that the kitchen does not fill with steam. Lifting the
kettle for longer than 5 minutes ends keeping warm early.

! Water that has been kept warm must not be used for preparing infant formula.

---

# 5 Descaling

Limescale makes the kettle slower and louder and shortens the life of the element. How often to descale depends on the
hardness of your water, which your supplier publishes.

| Water | Hardness in mg/l of CaCO3 | Descale every |
| Soft | below 100 | {soft} |
| Medium | 100 to 200 | {medium} |
| Hard | above 200 | {hard} |

With medium water, then, the kettle of the {year} edition is descaled every {medium}. The table assumes eight fillings a
day. If you boil more often, shorten the interval in proportion.

## How to descale

1. Fill the kettle with one litre of cold water and stir in {acid} of citric acid. One Tarnbeck sachet holds {acid}.
2. Heat to {heat}. Do not boil: hot citric acid forms a deposit that is harder to remove than the limescale.
3. Let the solution stand for {soak}.
4. Pour it away and rinse the kettle {rinses} with cold water.
5. Boil one full kettle and pour the water away. Note the date in the record on the last page.

Vinegar also works but is slower, and its smell stays in the lid seal for days. Never use descalers that contain
hydrochloric acid.

# 6 Cleaning

Wipe the outside with a damp cloth. Scouring powder and steel wool leave marks on the brushed surface. The kettle must
not go into the dishwasher.

Take out the filter once a week and rinse it from behind under the tap. Replace the filter after {filter_life}; a filter
with a torn mesh must be replaced at once. Wipe the contacts of the base with a dry cloth only.

# 7 When something is wrong

## Codes on the display

| Code | Meaning and remedy |
| E1 | Kettle was switched on empty. Let it cool for 10 minutes, then fill it above the lower mark. |
| E2 | Temperature sensor out of range. Let the kettle cool for {pause}; if the code returns, call us. |
{e3}

## Faults without a code

| What you notice | What to do |
| Kettle is slow and noisy | Descale it (section 5). |
| Switches off before boiling | Close the lid until it clicks. |
| Water tastes of plastic | Boil and pour away two more fillings. |
| Display stays dark | Try another socket; then call us. |

Please have the batch code at hand when you call. The helpline for the {year} edition is {helpline}. A repair by anyone
other than us or an authorised partner ends the warranty; its terms are printed in a separate leaflet.

---

# 8 Technical data

| Item | Value |
| Model | K3, {year} edition |
| Capacity at MAX | {litres} litres |
| Smallest filling | {minimum} litres |
| Rated power | {watts} W |
| Rated voltage | 220–240 V, 50/60 Hz |
| Consumption on stand-by | {standby} |
| Noise while heating | {noise} |
| Time to boil a full kettle from 15 °C | {boil} |
| Length of the cable | {cord} |
| Weight of the empty kettle with base | {weight} |
| Width, depth, height | 228 × 168 × 252 mm |

The rated power of the K3 in the {year} edition is {watts} watts. The kettle conforms to EN 60335-2-15 and carries the
UKCA and CE marks.

# 9 Disposal

Old kettles do not belong in household waste. Hand yours in at a collection point for small electrical appliances. The
body can be recycled completely; the base holds a circuit board and is dismantled by hand.

# 10 My kettle

| Date of purchase | Batch code |
| | |

| Descaled on | Descaled on | Descaled on |
| | | |
| | | |
"""

STUDY = """
! Summary. Twenty-four kettles boiled water of three hardnesses for twelve weeks. In medium water each kettle gathered
6.4 g of limescale and needed 6 % longer to boil; in hard water it was 14.8 g and 13 %. We recommend shortening the
descaling interval for medium water from eight weeks to six.

# 1 Question

The user manual of the K3 has so far asked for descaling every eight weeks in medium water. That figure was taken over
from an older model in 2017 and never tested. Complaints about noise rise sharply from the seventh week after a kettle
was last descaled. We wanted to know how fast limescale grows in our present kettle, what it costs in time and energy,
and how well the usual descalers remove it.

# 2 Method

Twenty-four K3 kettles from one batch (25-W05) were divided into three groups of eight. Each kettle boiled one litre of
water eight times a day, seven days a week, from 12 May to 3 August 2025. Between boils it was emptied and left to cool
for 45 minutes. A valve rig built by Pia Okafor filled and emptied the kettles; it failed once, on 19 June, for eleven
hours.

The soft water came from the Kelderby mains. Medium and hard water were mixed from it with calcium and magnesium salts.
Hardness was checked every Monday by titration and stayed within 4 % of its target. Every two weeks the kettles were
dried at 70 °C and weighed to 0.01 g. Noise was measured at a distance of 50 cm.

# 3 Results

| Water | Hardness (mg/l CaCO3) | Scale after 12 weeks | Longer to boil | Added noise |
| Soft | 90 | 1.9 g | 2 % | 1 dB |
| Medium | 190 | 6.4 g | 6 % | 5 dB |
| Hard | 320 | 14.8 g | 13 % | 9 dB |

Growth was close to linear in soft water. In medium and hard water it slowed during the first two weeks and then became
faster, as the rough surface offered more places for crystals to start. Kettles of one group differed by no more than
0.7 g.

[chart]

A new kettle used 0.112 kWh to boil one litre. After twelve weeks in hard water it used 0.126 kWh. For a household that
boils eight litres a day this comes to about 41 kWh a year.

## Removing the scale

After the twelve weeks each kettle was descaled once, at 60 °C for 20 minutes, and weighed again.

| Descaler | Concentration | Scale removed |
| Citric acid | 25 g per litre | 97 % |
| Citric acid | 15 g per litre | 82 % |
| Household vinegar | undiluted, 5 % acid | 71 % |
| Sulphamic acid | 20 g per litre | 99 % |

Citric acid at 25 g per litre removed 97 % of the scale. Raising the concentration to 30 g per litre, as the 2025
manual asks for, brought no measurable gain. Sulphamic acid was better by two points but attacked the solder of one lid
sensor, and we advise against it. Boiling citric acid left a white film of calcium citrate in all three kettles in
which it was tried.

# 4 What we recommend

- Descale every 12 weeks in soft, every 6 weeks in medium and every 3 weeks in hard water.
- Use 25 g of citric acid per litre, at 60 °C, for 20 minutes.
- Add a preset of 60 °C to the next model, so that the temperature need not be guessed.

# 5 Limits

We tested one model in one laboratory. Water from a domestic softener was not tested, nor were descaling tablets. The
rig boiled more regularly than a family does. Silicate scale, which occurs in some volcanic regions, is not dissolved
by any of the acids we used.

The work cost £7,350, of which £4,900 was for the valve rig, and was paid for from the engineering budget.
"""

# The bars of the chart: water, grams of limescale per kettle.
CHART = (("Soft", 1.9), ("Medium", 6.4), ("Hard", 14.8))
