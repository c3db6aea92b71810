"""Signing keys are files: created once, readable by one, retired without breaking what they signed."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from marketplace.certificates import keys

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "keys"


def test_a_key_is_made_once_and_kept(directory):
    first, is_new = keys.create(directory, at=NOON)
    again, is_new_again = keys.create(directory, at=NOON + timedelta(days=1))

    assert (is_new, is_new_again) == (True, False)
    assert first == again == keys.signing_key(directory)


def test_only_this_user_may_read_the_key_and_its_directory(directory):
    keys.create(directory, at=NOON)

    assert stat.S_IMODE((directory / keys.PRIVATE).stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert len(list(directory.iterdir())) == 2


def test_what_is_published_has_no_private_part(directory):
    keys.create(directory, at=NOON)

    (key,) = keys.published_keys(directory)
    assert set(key) == {"kty", "crv", "x", "y", "alg", "kid"}
    for file in directory.glob("*.public.json"):
        assert "d" not in json.loads(file.read_text())


def test_many_that_create_at_once_agree_on_one_key(directory):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: keys.create(directory, at=NOON), range(8)))

    assert len({key["kid"] for key, _is_new in made}) == 1
    assert sum(is_new for _key, is_new in made) == 1
    assert len(keys.published_keys(directory)) == 1


def test_a_rotation_signs_with_a_new_key_and_keeps_the_old_one_published(directory):
    old, _ = keys.create(directory, at=NOON)

    new, retired = keys.rotate(directory, at=NOON + timedelta(days=90))

    assert retired == old["kid"] != new["kid"]
    assert keys.signing_key(directory)["kid"] == new["kid"]
    assert [key["kid"] for key in keys.published_keys(directory)] == [new["kid"], old["kid"]]
    assert old["d"] not in "".join(file.read_text() for file in directory.iterdir())


def test_without_a_key_it_is_said_how_to_make_one(directory):
    with pytest.raises(keys.KeyUnusable, match=r"create_keys"):
        keys.signing_key(directory)
    with pytest.raises(keys.KeyUnusable, match=r"create_keys"):
        keys.rotate(directory, at=NOON)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(directory, mode):
    keys.create(directory, at=NOON)
    (directory / keys.PRIVATE).chmod(mode)

    with pytest.raises(keys.KeyUnusable, match="chmod 600"):
        keys.signing_key(directory)
    with pytest.raises(keys.KeyUnusable, match="chmod 600"):
        keys.create(directory, at=NOON)


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", '{"kty": "EC"}', '{"kty": "oct"}'])
def test_a_damaged_key_is_refused_and_never_replaced(directory, text):
    keys.create(directory, at=NOON)
    (directory / keys.PRIVATE).write_text(text)

    with pytest.raises(keys.KeyUnusable):
        keys.create(directory, at=NOON)

    assert (directory / keys.PRIVATE).read_text() == text


def test_a_key_under_another_name_is_refused(directory):
    key, _ = keys.create(directory, at=NOON)
    (directory / keys.PRIVATE).write_text(json.dumps(key | {"kid": "somebody"}))

    with pytest.raises(keys.KeyUnusable, match="named by its thumbprint"):
        keys.signing_key(directory)


def test_a_public_key_alone_cannot_sign(directory):
    key, _ = keys.create(directory, at=NOON)
    del key["d"]
    (directory / keys.PRIVATE).write_text(json.dumps(key))

    with pytest.raises(keys.KeyUnusable, match="not a private"):
        keys.signing_key(directory)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_what_cannot_be_read_or_written_is_said(directory):
    keys.create(directory, at=NOON)
    (directory / keys.PRIVATE).chmod(0)

    with pytest.raises(keys.KeyUnusable, match="owns it"):
        keys.signing_key(directory)


def test_a_directory_that_is_a_file_is_said(tmp_path):
    (tmp_path / "keys").write_text("")

    with pytest.raises(keys.KeyUnusable, match="cannot be"):
        keys.create(tmp_path / "keys", at=NOON)


def test_a_damaged_public_key_is_said(directory):
    keys.create(directory, at=NOON)
    (directory / "old.public.json").write_text("{")

    with pytest.raises(keys.KeyUnusable, match="cannot be read"):
        keys.published_keys(directory)


def test_the_commands_say_what_they_did(directory, settings, capsys):
    settings.KEYS_DIR = directory

    call_command("create_keys")
    call_command("create_keys")
    call_command("rotate_keys")

    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == ["Created", "Kept", "Signing"]


def test_the_commands_fail_with_one_sentence(directory, settings):
    settings.KEYS_DIR = directory

    with pytest.raises(CommandError, match="There is no signing key"):
        call_command("rotate_keys")

    keys.create(directory, at=NOON)
    (directory / keys.PRIVATE).chmod(0o644)
    with pytest.raises(CommandError, match="chmod 600"):
        call_command("create_keys")
