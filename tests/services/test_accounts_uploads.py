"""Uploaded files: what we take, what we refuse, and what is left of it."""

import random
from io import BytesIO

import pikepdf
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from marketplace.core.uploads import LONGEST_SIDE, UploadRefused, clean_document, clean_photo


def picture(form="JPEG", size=(640, 480), name="battery.jpg", **more):
    out = BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, form, **more)
    return SimpleUploadedFile(name, out.getvalue())


def paper(change=lambda pdf: None, pages=1, **more):
    pdf = pikepdf.new()
    for _n in range(pages):
        pdf.add_blank_page()
    change(pdf)
    out = BytesIO()
    pdf.save(out, **more)
    return SimpleUploadedFile("licence.pdf", out.getvalue())


def refused(clean, upload):
    with pytest.raises(UploadRefused) as told:
        clean(upload)
    assert told.value.message
    return told.value.code


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_written_anew_whatever_it_is_called(form):
    photo = clean_photo(picture(form, name="anything.exe"))

    assert Image.open(BytesIO(photo.bytes)).format == "JPEG"
    assert (photo.width, photo.height) == (640, 480)
    assert photo.sha256 != photo.original_sha256


def test_position_and_thumbnails_stay_outside_and_the_photo_stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010F] = "A camera with a serial number"

    photo = clean_photo(picture(exif=exif.tobytes()))

    kept = Image.open(BytesIO(photo.bytes))
    assert not kept.getexif()
    assert b"serial" not in photo.bytes
    assert kept.size == (480, 640)


def test_a_large_photo_is_made_small():
    photo = clean_photo(picture(size=(4000, 3000)))

    assert (photo.width, photo.height) == (LONGEST_SIDE, 1200)


def test_transparency_becomes_white_paper():
    out = BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(out, "PNG")

    photo = clean_photo(SimpleUploadedFile("a.png", out.getvalue()))

    assert Image.open(BytesIO(photo.bytes)).getpixel((5, 5)) == (255, 255, 255)


def test_what_hides_behind_a_picture_is_gone():
    polyglot = picture().read() + b"PK\x03\x04<script>alert(1)</script>"

    photo = clean_photo(SimpleUploadedFile("a.jpg", polyglot))

    assert b"script" not in photo.bytes
    assert b"PK\x03\x04" not in photo.bytes


def test_a_gif_that_calls_itself_jpg_is_refused():
    assert refused(clean_photo, picture("GIF")) == "unknown_type"


def test_a_file_that_is_no_picture_is_refused():
    assert refused(clean_photo, SimpleUploadedFile("a.jpg", b"<svg/>")) == "unknown_type"


def test_an_empty_file_is_refused():
    assert refused(clean_photo, SimpleUploadedFile("a.jpg", b"")) == "empty_file"


def test_a_photo_above_the_limit_is_refused_before_it_is_read(settings):
    settings.UPLOAD_MAX_BYTES = 1000

    assert refused(clean_photo, SimpleUploadedFile("a.jpg", b"x" * 1001)) == "too_large"


def test_a_small_file_that_unpacks_to_a_huge_picture_is_refused():
    assert refused(clean_photo, picture("PNG", size=(6000, 5000))) == "too_many_pixels"
    assert refused(clean_photo, picture("PNG", size=(9000, 9000))) == "too_many_pixels"


def test_half_a_photo_is_refused():
    noise = Image.frombytes("RGB", (300, 300), random.Random(1).randbytes(270_000))
    out = BytesIO()
    noise.save(out, "JPEG")
    half = out.getvalue()[: len(out.getvalue()) // 2]

    assert refused(clean_photo, SimpleUploadedFile("a.jpg", half)) == "broken_file"


def test_a_moving_picture_is_refused():
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    out = BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])

    assert refused(clean_photo, SimpleUploadedFile("a.webp", out.getvalue())) == "moving_picture"


def test_a_plain_pdf_is_taken():
    document = clean_document(paper(pages=3))

    assert document.content_type == "application/pdf"
    assert document.pages == 3
    assert document.suffix == ".pdf"


def test_a_photographed_paper_is_written_anew():
    document = clean_document(picture("PNG"))

    assert document.content_type == "image/jpeg"
    assert document.suffix == ".jpg"


def open_action(pdf):
    script = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert(1)"))
    pdf.Root.OpenAction = pdf.make_indirect(script)


def page_script(pdf):
    script = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert(1)"))
    pdf.pages[0].obj.AA = pikepdf.Dictionary(O=script)


def launch(pdf):
    link = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot,
        Subtype=pikepdf.Name.Link,
        Rect=pikepdf.Array([0, 0, 9, 9]),
        A=pikepdf.Dictionary(S=pikepdf.Name.Launch, F=pikepdf.String("cmd.exe")),
    )
    pdf.pages[0].obj.Annots = pikepdf.Array([link])


def attachment(pdf):
    pdf.attachments["evil.exe"] = b"MZ"


@pytest.mark.parametrize("change", [open_action, page_script, launch, attachment])
def test_a_pdf_that_does_something_is_refused(change):
    assert refused(clean_document, paper(change)) == "active_content"


def test_a_pdf_that_only_says_which_page_to_show_first_is_taken():
    def first_page(pdf):
        pdf.Root.OpenAction = pikepdf.Array([pdf.pages[0].obj, pikepdf.Name.Fit])

    assert clean_document(paper(first_page)).pages == 1


def test_a_locked_pdf_is_refused():
    both = pikepdf.Encryption(owner="o", user="u")
    owner = pikepdf.Encryption(owner="o", user="")

    assert refused(clean_document, paper(encryption=both)) == "encrypted"
    assert refused(clean_document, paper(encryption=owner)) == "encrypted"


def test_a_pdf_of_too_many_pages_is_refused():
    assert refused(clean_document, paper(pages=51)) == "too_many_pages"


def test_a_broken_pdf_is_refused():
    assert refused(clean_document, SimpleUploadedFile("a.pdf", b"%PDF-1.7 nothing")) == (
        "broken_file"
    )


def test_what_stands_behind_a_pdf_is_gone():
    polyglot = paper().read() + b"\nPK\x03\x04 evil"

    document = clean_document(SimpleUploadedFile("a.pdf", polyglot))

    assert b"PK\x03\x04" not in document.bytes
