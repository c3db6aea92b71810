"""Every sentence fits into one text message, in every language, with the longest names and numbers."""

from decimal import Decimal

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from marketplace.notifications import rules
from marketplace.notifications.audience import AUDIENCE
from marketplace.notifications.wording import WORDINGS, sentence, subject

LONGEST = {
    "minutes": 1_500,
    "lot": 1_234_567,
    "deal": 1_234_567,
    "order": 1_234_567,
    "amount": "12345678901.00",
    "low": "1234567890.50",
    "high": "2345678901.50",
    "currency": "IDR",
    "mass": "100000.125",
    "count": 40,
    "code": "K7Q2-M9XP-4TRW",
    "number": "KLH/B3/2026/1234567890-ABCDEF",
    "until": "2026-12-31",
    "organisation": "Koperasi Pasar Loak Semarang Utara",
    "carrier": "Nusantara Muatan Khusus Sejahtera",
    "to": "Nusantara Muatan Khusus Sejahtera",
    "reason": "We have found papers that contradict each other in three deals.",
    "site": "https://voltbazaar.example",
    "thing": "Baterai inverter atau surya",
    "quantity": "100,000 pcs",
    "typical": "1880000000",
}
LANGUAGES = [code for code, _name in settings.LANGUAGES]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", sorted(WORDINGS))
def test_every_sentence_fits_into_a_text_message(template, language):
    text = sentence(template, LONGEST, language=language)

    assert rules.fits(text), (len(text), text)
    assert "%(" not in text


@pytest.mark.parametrize("template", sorted(WORDINGS))
def test_every_sentence_says_what_happened_first(template):
    assert sentence(template, LONGEST, language="en")[-1] in ".?!e"
    assert len(subject(sentence(template, LONGEST, language="en"))) < 140


def test_an_unknown_sentence_still_says_that_there_is_news():
    assert sentence("gone", {}, language="en") == "There is news for you."


def test_amounts_are_written_as_the_reader_does():
    facts = LONGEST | {"amount": "18450.50", "lot": 7}

    assert "18,450.5 IDR" in sentence("won", facts, language="en")
    assert "18.450,5 IDR" in sentence("won", facts, language="id")


def test_every_event_in_the_audience_has_somebody_to_tell():
    assert all(callable(tell) for tell in AUDIENCE.values())


@given(st.text(alphabet=rules.GSM_BASIC, max_size=400))
def test_plain_letters_count_one_each(text):
    assert rules.is_gsm(text)
    assert rules.fits(text) == (len(text) <= 160)


@given(st.text(alphabet="सबटरी₹", min_size=1, max_size=300))
def test_other_letters_get_two_messages_of_sixty_seven(text):
    assert not rules.is_gsm(text)
    assert rules.fits(text) == (len(text) <= 134)


@given(st.text(max_size=80), st.integers(min_value=2, max_value=40))
def test_a_shortened_name_is_never_longer_than_asked(name, most):
    assert len(rules.shortened(name, most)) <= most


def test_a_decimal_is_no_float():
    assert sentence("weighed", {"deal": 1, "mass": Decimal("0.100")}, language="en").count("0.1")
