"""How long a text message is, as the networks count. Pure."""

GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each. :source: 3GPP TS 23.038, 6.2.1"""
GSM_EXTENDED = "^{}\\[~]|€\f"
"""Two septets each. :source: 3GPP TS 23.038, 6.2.1.1"""

ONE_GSM, PART_GSM = 160, 153
ONE_UCS2, PART_UCS2 = 70, 67
MOST_PARTS_UCS2 = 2


def is_gsm(text: str) -> bool:
    """Tell whether every character is in the GSM 7-bit alphabet.

    >>> is_gsm("Lot 7: 18,450 INR"), is_gsm("₹18,450")
    (True, False)
    """
    return all(letter in GSM_BASIC or letter in GSM_EXTENDED for letter in text)


def parts(text: str) -> int:
    """Return how many messages a text is charged as.

    >>> parts("a" * 160), parts("a" * 161), parts("स" * 70), parts("स" * 71)
    (1, 2, 1, 2)
    """
    if is_gsm(text):
        septets = sum(2 if letter in GSM_EXTENDED else 1 for letter in text)
        return 1 if septets <= ONE_GSM else -(-septets // PART_GSM)
    units = len(text.encode("utf-16-be")) // 2
    return 1 if units <= ONE_UCS2 else -(-units // PART_UCS2)


def fits(text: str) -> bool:
    """Tell whether a text may be sent: one GSM message, or two of other letters.

    >>> fits("a" * 161), fits("स" * 134), fits("स" * 135)
    (False, True, False)
    """
    return parts(text) <= (1 if is_gsm(text) else MOST_PARTS_UCS2)


def shortened(word: str, most: int = 24) -> str:
    """Return a name that leaves room for the sentence around it.

    >>> shortened("Koperasi Pasar Loak Semarang Utara", 12)
    'Koperasi Pa.'
    """
    return word if len(word) <= most else word[: most - 1].rstrip() + "."
