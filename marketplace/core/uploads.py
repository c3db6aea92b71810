"""What comes from outside is looked at, rebuilt and only then kept.

Nothing here believes a file's name or the type that a browser claims. Pictures are decoded and written anew, so that
positions, thumbnails and whatever hides behind the picture stay outside; PDFs with anything active are refused.
"""

import hashlib
import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, Protocol

import pikepdf
from django.conf import settings
from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import Refused

LONGEST_SIDE = 1600
MAX_PIXELS = 24_000_000
MAX_PAGES = 50
JPEG_QUALITY = 82
PDF = "application/pdf"
PICTURE_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
ACTIVE_NAMES = frozenset(
    {
        "/AA",
        "/EmbeddedFile",
        "/EmbeddedFiles",
        "/ImportData",
        "/JS",
        "/JavaScript",
        "/Launch",
        "/OpenAction",
        "/RichMedia",
        "/SubmitForm",
        "/XFA",
    }
)

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


class UploadRefused(Refused):
    """A file that we do not take. ``code`` says why: empty, too_large, too_many_pixels, unknown_type …"""

    code = "upload_refused"


class Upload(Protocol):
    """A file as Django hands it over."""

    size: int | None

    def chunks(self, chunk_size: int | None = None) -> Any: ...


@dataclass(frozen=True, slots=True)
class CleanPhoto:
    """A picture that we wrote ourselves: upright, at most 1600 px, without any metadata."""

    bytes: bytes
    width: int
    height: int
    sha256: str
    original_sha256: str
    content_type: str = "image/jpeg"

    @property
    def suffix(self) -> str:
        return ".jpg"


@dataclass(frozen=True, slots=True)
class CleanDocument:
    """A PDF without active content, or a picture of a paper that we wrote ourselves."""

    bytes: bytes
    content_type: str
    sha256: str
    original_sha256: str
    pages: int

    @property
    def suffix(self) -> str:
        return ".pdf" if self.content_type == PDF else ".jpg"


def clean_photo(upload: Upload, *, field: str = "photo") -> CleanPhoto:
    """Return an uploaded picture, decoded and written anew as JPEG.

    :raises UploadRefused: if it is too large, empty, no JPEG, PNG or WebP, or broken
    """
    return _rebuilt(_read(upload, field), field)


def clean_document(upload: Upload, *, field: str = "document") -> CleanDocument:
    """Return an uploaded paper: a PDF of at most 50 pages without active content, or a picture.

    :raises UploadRefused: if it is too large, empty, of another type, encrypted, active or broken
    """
    content = _read(upload, field)
    if content[:1024].lstrip().startswith(b"%PDF-"):
        return _checked_pdf(content, field)
    photo = _rebuilt(content, field)
    return CleanDocument(photo.bytes, photo.content_type, photo.sha256, photo.original_sha256, 1)


def _read(upload: Upload, field: str) -> bytes:
    limit: int = settings.UPLOAD_MAX_BYTES
    too_large = UploadRefused(
        _("This file is larger than %(limit)s MB. Take a smaller photo, or scan with fewer dots.")
        % {"limit": limit // 2**20},
        code="too_large",
        field=field,
    )
    if (upload.size or 0) > limit:
        raise too_large
    content = b"".join(upload.chunks())
    if len(content) > limit:  # the size was only a claim
        raise too_large
    if not content:
        raise UploadRefused(
            _("This file is empty. Choose it again."), code="empty_file", field=field
        )
    return content


def _rebuilt(content: bytes, field: str) -> CleanPhoto:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            picture = _decoded(content, field)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
        raise UploadRefused(
            _("This picture has too many pixels. Send one of at most 24 megapixels."),
            code="too_many_pixels",
            field=field,
        ) from bomb
    except UnidentifiedImageError as unknown:
        raise UploadRefused(
            _("Send a photo as JPEG, PNG or WebP. Its content decides, not its name."),
            code="unknown_type",
            field=field,
        ) from unknown
    except (OSError, SyntaxError, ValueError, EOFError, Warning) as broken:
        raise UploadRefused(
            _("This picture is damaged. Take it again, or choose another one."),
            code="broken_file",
            field=field,
        ) from broken
    written = BytesIO()
    picture.save(written, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True)
    clean = written.getvalue()
    return CleanPhoto(
        bytes=clean,
        width=picture.width,
        height=picture.height,
        sha256=hashlib.sha256(clean).hexdigest(),
        original_sha256=hashlib.sha256(content).hexdigest(),
    )


def _decoded(content: bytes, field: str) -> Image.Image:
    source: IO[bytes] = BytesIO(content)
    with Image.open(source, formats=list(PICTURE_TYPES)) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if getattr(opened, "n_frames", 1) > 1:
            raise UploadRefused(
                _("Send a still picture, not a moving one."), code="moving_picture", field=field
            )
        opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # JPEG: decode at a smaller scale
        opened.load()
        upright = ImageOps.exif_transpose(opened)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        upright = upright.convert("RGBA")
        paper = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(paper, upright)
    flat = upright.convert("RGB")
    flat.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    bare = Image.new("RGB", flat.size)  # a new picture has no metadata that could be copied along
    bare.paste(flat)
    return bare


def _checked_pdf(content: bytes, field: str) -> CleanDocument:
    try:
        with pikepdf.open(BytesIO(content)) as pdf:
            pages = len(pdf.pages)
            if pdf.is_encrypted:
                raise _encrypted(field)
            if isinstance(pdf.Root.get("/OpenAction"), pikepdf.Array):
                del pdf.Root.OpenAction  # only says which page to show first
            if _has_active_content(pdf):
                raise UploadRefused(
                    _("This PDF contains scripts or attached files. Print it to a new PDF."),
                    code="active_content",
                    field=field,
                )
            if not 1 <= pages <= MAX_PAGES:
                raise UploadRefused(
                    _("Send a PDF of 1 to %(pages)s pages.") % {"pages": MAX_PAGES},
                    code="too_many_pages",
                    field=field,
                )
            written = BytesIO()
            # written anew: what stood before, between or behind the objects is gone
            pdf.save(written, deterministic_id=True)
    except pikepdf.PasswordError as locked:
        raise _encrypted(field) from locked
    except pikepdf.PdfError as broken:
        raise UploadRefused(
            _("This PDF is damaged. Save it again, or send photos of the pages."),
            code="broken_file",
            field=field,
        ) from broken
    clean = written.getvalue()
    return CleanDocument(
        bytes=clean,
        content_type=PDF,
        sha256=hashlib.sha256(clean).hexdigest(),
        original_sha256=hashlib.sha256(content).hexdigest(),
        pages=pages,
    )


def _encrypted(field: str) -> UploadRefused:
    return UploadRefused(
        _("This PDF is locked with a password. Send it without one."),
        code="encrypted",
        field=field,
    )


def _has_active_content(pdf: pikepdf.Pdf) -> bool:
    return any(_is_active(found) for found in pdf.objects) or _is_active(pdf.Root)


def _is_active(found: Any, depth: int = 0) -> bool:
    """Look through direct objects; indirect ones are visited one by one, so no cycle is followed."""
    if depth > 60:
        return True  # nobody nests that deep for a reason
    if isinstance(found, pikepdf.Stream | pikepdf.Dictionary):
        attributes = found.stream_dict if isinstance(found, pikepdf.Stream) else found
        if ACTIVE_NAMES & set(attributes.keys()):
            return True
        return any(_hides(value, depth) for value in dict(attributes.items()).values())
    if isinstance(found, pikepdf.Array):
        return any(_hides(value, depth) for value in found)
    return isinstance(found, pikepdf.Name) and str(found) in ACTIVE_NAMES


def _hides(value: Any, depth: int) -> bool:
    if isinstance(value, pikepdf.Name):
        return str(value) in ACTIVE_NAMES
    if isinstance(value, pikepdf.Object) and not value.is_indirect:
        return _is_active(value, depth + 1)
    return False
