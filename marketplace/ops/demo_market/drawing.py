"""Pictures of packs, drawn rather than taken: what a collector's photo would show."""

import math
from functools import lru_cache
from io import BytesIO
from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT = 960, 720
FLOOR = 430  # where the wall ends

Colour = tuple[int, int, int]

# The printed colours of our own chemistry tiles, so that list and picture agree.
CASINGS: dict[str, Colour] = {
    "lfp": (22, 110, 138),
    "nmc": (104, 74, 178),
    "lco": (52, 88, 182),
    "nimh": (148, 116, 24),
    "pba": (52, 56, 62),
    "unk": (92, 106, 100),
}
WALLS: list[Colour] = [(226, 218, 203), (206, 218, 214), (222, 208, 196), (210, 214, 224)]
FLOORS: list[Colour] = [(150, 138, 122), (134, 142, 140), (164, 142, 116), (120, 126, 132)]


def photograph(
    *,
    kind: str,
    css_class: str,
    letters: str,
    volts: str,
    count: int,
    seed: int,
    damaged: bool = False,
    close: bool = False,
) -> bytes:
    """Return a JPEG of some packs on a floor.

    :param kind: one of ``PackModel.Kind``
    :param css_class: of the chemistry, for the colour of the casings
    :param count: how many packs there are; no more than a dozen are drawn
    :param close: only the label of one pack
    """
    random = Random(seed)  # noqa: S311 - a drawing, not a secret
    picture = _room(random)
    casing = _shade(CASINGS.get(css_class, CASINGS["unk"]), random.uniform(0.88, 1.12))
    if close:
        _pack(picture, kind, casing, (180, 150, 780, 600), letters, volts, damaged=damaged)
    else:
        _pile(picture, random, kind, casing, letters, volts, count, damaged=damaged)
    if damaged:
        picture = picture.filter(ImageFilter.GaussianBlur(0.6))
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=82)
    return jpeg.getvalue()


def scanned_page(lines: list[str], *, seed: int) -> bytes:
    """Return a PNG that looks like a scanned licence: lines of text, a rule and a stamp."""
    random = Random(seed)  # noqa: S311 - a drawing, not a secret
    page = Image.new("RGB", (840, 1188), (250, 248, 242))
    draw = ImageDraw.Draw(page)
    draw.rectangle((40, 40, 800, 1148), outline=(120, 110, 90), width=3)
    for row, line in enumerate(lines):
        size = 34 if row == 0 else 22
        draw.text((80, 100 + 52 * row), line, fill=(30, 34, 40), font=ImageFont.load_default(size))
    at = random.randint(480, 600), random.randint(900, 980)
    draw.ellipse((*at, at[0] + 170, at[1] + 170), outline=(150, 40, 60), width=6)
    draw.text(
        (at[0] + 44, at[1] + 70), "SAMPLE", fill=(150, 40, 60), font=ImageFont.load_default(24)
    )
    png = BytesIO()
    page.save(png, "PNG", optimize=False)
    return png.getvalue()


def _room(random: Random) -> Image.Image:
    return _empty_room(random.randrange(len(WALLS))).copy()


@lru_cache(maxsize=len(WALLS))
def _empty_room(at: int) -> Image.Image:
    wall, floor = WALLS[at], FLOORS[at]
    picture = Image.new("RGB", (WIDTH, HEIGHT), wall)
    draw = ImageDraw.Draw(picture)
    for y in range(HEIGHT):
        if y < FLOOR:
            colour = _shade(wall, 1.06 - 0.16 * y / FLOOR)
        else:
            colour = _shade(floor, 0.82 + 0.3 * (y - FLOOR) / (HEIGHT - FLOOR))
        draw.line((0, y, WIDTH, y), fill=colour)
    for x in range(-200, WIDTH + 200, 120):  # planks or tiles, towards the eye
        draw.line(
            (x + (WIDTH / 2 - x) * 0.35, FLOOR, x - (WIDTH / 2 - x) * 0.2, HEIGHT),
            fill=_shade(floor, 0.78),
            width=2,
        )
    return picture


def _pile(
    picture: Image.Image,
    random: Random,
    kind: str,
    casing: Colour,
    letters: str,
    volts: str,
    count: int,
    *,
    damaged: bool,
) -> None:
    shown = max(1, min(count, 12))
    columns = min(shown, math.ceil(math.sqrt(shown * 1.6)))
    rows = math.ceil(shown / columns)
    wide = min(460, int(780 / columns))
    high = int(wide * _height_of(kind))
    for number in range(shown):
        row, column = divmod(number, columns)
        left = (WIDTH - columns * wide) / 2 + column * wide + random.uniform(-9, 9)
        bottom = 520 + row * min(90, 170 / rows) + random.uniform(-7, 7)
        box = (left + 8, bottom - high, left + wide - 8, bottom)
        hurt = damaged and number % 3 == 0
        _shadow(picture, box)
        _pack(
            picture,
            kind,
            _shade(casing, random.uniform(0.92, 1.08)),
            (int(box[0]), int(box[1]), int(box[2]), int(box[3])),
            letters,
            volts,
            damaged=hurt,
        )


def _height_of(kind: str) -> float:
    return {
        "CAR": 0.42,
        "VAN": 0.42,
        "BUS": 0.5,
        "PHONE": 1.25,
        "LAPTOP": 0.34,
        "TWO_WHEELER": 1.15,
    }.get(kind, 0.8)


def _shadow(picture: Image.Image, box: tuple[float, float, float, float]) -> None:
    shade = Image.new("L", (int(box[2] - box[0]) + 60, 60), 0)
    ImageDraw.Draw(shade).ellipse((10, 12, shade.width - 10, 48), fill=110)
    shade = shade.filter(ImageFilter.GaussianBlur(8))
    picture.paste((30, 28, 26), (int(box[0]) - 30, int(box[3]) - 34), shade)


def _pack(
    picture: Image.Image,
    kind: str,
    casing: Colour,
    box: tuple[int, int, int, int],
    letters: str,
    volts: str,
    *,
    damaged: bool,
) -> None:
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    lid = max(6, high // 6)
    edge = _shade(casing, 0.55)
    round_by = max(3, min(wide, high) // (6 if kind == "PHONE" else 12))
    if kind == "TWO_WHEELER":  # a handle to carry it by
        draw.arc(
            (left + wide // 4, top - lid * 1.6, right - wide // 4, top + lid * 1.6),
            180,
            360,
            fill=edge,
            width=max(5, wide // 18),
        )
    draw.rounded_rectangle(box, round_by, fill=casing, outline=edge, width=3)
    draw.rounded_rectangle((left, top, right, top + lid), round_by, fill=_shade(casing, 1.22))
    for line in range(1, 4):  # ribs
        x = left + wide * line // 4
        draw.line((x, top + lid + 4, x, bottom - 5), fill=_shade(casing, 0.86), width=2)
    _terminals(draw, kind, box, lid)
    label = (
        left + wide // 7,
        top + lid + high // 6,
        right - wide // 7,
        bottom - high // 6,
    )
    if label[2] - label[0] > 36 and label[3] - label[1] > 20:
        draw.rounded_rectangle(label, 4, fill=(246, 244, 236), outline=edge)
        _text(draw, label, letters, volts)
    if damaged:
        _hurt(draw, box)


def _terminals(
    draw: ImageDraw.ImageDraw, kind: str, box: tuple[int, int, int, int], lid: int
) -> None:
    left, top, right, _bottom = box
    size = max(5, (right - left) // 14)
    if kind in {"PHONE", "LAPTOP", "TOOL"}:
        for pin in range(4):
            x = left + (right - left) * (pin + 3) // 10
            draw.rectangle((x, top + 2, x + size, top + lid - 2), fill=(214, 176, 84))
        return
    for x, colour in ((left + size * 2, (178, 44, 44)), (right - size * 4, (28, 30, 34))):
        draw.rectangle((x, top - size, x + size * 2, top + 3), fill=colour)
        draw.ellipse(
            (x + 2, top - size - 4, x + size * 2 - 2, top - size + 5), fill=(196, 198, 200)
        )


def _text(
    draw: ImageDraw.ImageDraw, label: tuple[int, int, int, int], letters: str, volts: str
) -> None:
    wide, high = label[2] - label[0], label[3] - label[1]
    size = max(10, min(high // 2, wide // max(3, len(letters)) + 6))
    centre = (label[0] + wide // 2, label[1] + high * 2 // 5)
    draw.text(centre, letters, fill=(26, 30, 34), font=ImageFont.load_default(size), anchor="mm")
    if high > 44:
        small = ImageFont.load_default(max(9, size // 2))
        draw.text(
            (centre[0], label[1] + high * 4 // 5), volts, fill=(70, 74, 78), font=small, anchor="mm"
        )


def _hurt(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    crack = [
        (left + wide * 0.7, top + 4),
        (left + wide * 0.6, top + high * 0.3),
        (left + wide * 0.72, top + high * 0.5),
        (left + wide * 0.58, top + high * 0.8),
    ]
    draw.line(crack, fill=(20, 18, 18), width=max(3, wide // 60))
    draw.ellipse(
        (left + wide * 0.1, bottom - high * 0.12, left + wide * 0.6, bottom + high * 0.1),
        fill=(70, 62, 44),
    )


def _shade(colour: Colour, by: float) -> Colour:
    red, green, blue = (min(255, max(0, int(part * by))) for part in colour)
    return red, green, blue
