from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django import forms
from django.template import Context, Template
from django.utils import timezone, translation

from marketplace.web.templatetags.house import _drawing, money_text


def rendered(source, **context):
    return Template(source).render(Context(context)).strip()


@pytest.mark.parametrize(
    ("language", "amount", "currency", "text"),
    [
        ("en", "1234567.50", "INR", "₹12,34,567.50"),
        ("en", "18450.00", "INR", "₹18,450"),
        ("en", "500", "USD", "US$500"),
        ("en", "1234567.00", "VND", "₫1,234,567"),
        ("id", "1234567.50", "IDR", "Rp1.234.567,50"),
        ("id", "98000", "IDR", "Rp98.000"),
        ("en", "-12.5", "PHP", "-₱12.50"),
    ],
)
def test_money_is_written_as_its_reader_writes_it(language, amount, currency, text):
    with translation.override(language):
        written = money_text(Decimal(amount), currency)

    assert written.replace("\xa0", " ") == text


def test_a_ledger_keeps_the_cents_that_a_price_may_drop():
    assert money_text(Decimal(500), "INR", exact=True) == "₹500.00"
    assert money_text(Decimal(500), "JPY", exact=True) == "JP¥500"


def test_quantities_stay_together_and_isolated_from_the_text_around_them():
    assert rendered("{% mass kg %}", kg=Decimal("112.400")) == (
        '<bdi class="ltr nobreak">112.4 kg</bdi>'
    )
    assert rendered('{% money 165 "INR" per="kg" %}') == '<bdi class="nobreak">₹165/kg</bdi>'


def test_numbers_follow_the_language():
    with translation.override("id"):
        assert "1.984,6 kg" in rendered("{% mass kg %}", kg=Decimal("1984.6"))
        assert rendered("{{ share|percent }}", share=Decimal("0.645")) == "64,5%"


def test_what_is_not_known_is_a_dash():
    assert rendered('{% mass x %}{% money x "INR" %}{% when x %}{% day x %}', x=None) == "––––"


def test_a_moment_is_told_relative_and_absolute():
    moment = timezone.now() - timedelta(hours=2, minutes=5)

    text = rendered("{% when moment %}", moment=moment)

    assert "2 hours ago" in text
    assert moment.astimezone(UTC).strftime("%H:%M") in text
    assert "UTC" in text


def test_seconds_are_left_out_in_every_language():
    moment = datetime(2026, 11, 23, 10, 15, 42, tzinfo=UTC)

    for language, clock in (("en", "10:15"), ("id", "10.15")):
        with translation.override(language):
            text = rendered("{% when moment short=True %}", moment=moment)
        assert clock in text
        assert "42" not in text.split(">")[1]


def test_the_cell_tile_says_in_letters_what_its_colour_means():
    lfp = SimpleNamespace(
        css_class="lfp", letters="LFP", name="Lithium iron phosphate", nominal_volts=Decimal("3.20")
    )

    tile = rendered("{% cell lfp %}", lfp=lfp)

    assert "LFP" in tile
    assert "3.2 V" in tile
    assert "Kind not known" in rendered("{% cell none %}", none=None)


def test_progress_is_read_aloud():
    assert 'aria-label="Step 2 of 5"' in rendered("{% progress 2 5 %}")
    assert rendered("{% progress 2 5 %}").count("class=on") == 2


def test_an_unknown_drawing_is_a_mistake_of_the_author():
    with pytest.raises(FileNotFoundError):
        _drawing("no-such-icon")


class Weighing(forms.Form):
    mass_kg = forms.DecimalField(label="Weight", help_text="A guess is fine.", min_value=1)
    note = forms.CharField(label="Note", required=False)
    damage = forms.ChoiceField(
        label="Damage", choices=[("a", "Swollen"), ("b", "Leaking")], widget=forms.RadioSelect
    )
    sure = forms.BooleanField(label="I am sure")
    request_id = forms.CharField(widget=forms.HiddenInput, required=False)


def test_a_field_ties_label_hint_error_and_input_together():
    html = rendered('{% field form.mass_kg unit="kg" %}', form=Weighing({"mass_kg": "0"}))

    assert '<label for="id_mass_kg">' in html
    assert 'id="id_mass_kg_helptext"' in html
    assert 'id="id_mass_kg_error"' in html
    assert 'aria-describedby="id_mass_kg_helptext id_mass_kg_error"' in html
    assert 'aria-invalid="true"' in html
    assert "<span>kg</span>" in html


def test_an_optional_field_says_so():
    assert "not needed" in rendered("{% field form.note %}", form=Weighing())
    assert "not needed" not in rendered("{% field form.mass_kg %}", form=Weighing())


def test_radios_are_a_group_with_a_legend_and_a_tick_has_its_label_round_it():
    html = rendered("{% fields form %}", form=Weighing())

    assert "<legend>Damage</legend>" in html
    assert html.count('class="tick"') == 3
    assert 'type="hidden" name="request_id"' in html


def test_the_summary_links_to_every_field_that_needs_a_change():
    html = rendered("{% errors form %}", form=Weighing({}))

    assert 'href="#id_mass_kg"' in html
    assert 'role="alert"' in html
    assert rendered("{% errors form %}", form=Weighing()) == ""


def test_user_text_cannot_become_markup():
    thing = SimpleNamespace(status="OPEN", get_status_display=lambda: "<script>")
    assert "<script>" not in rendered("{% status thing %}", thing=thing)
    assert "<script>" not in rendered("{% qty 1 unit %}", unit="<script>")
