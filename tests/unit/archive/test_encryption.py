"""age, GPG and openssl: opened by the programs of those names, and shut to wrong keys."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import io
import os
import pty
import random
import subprocess
import tempfile
import termios
from pathlib import Path

import pytest
from pyrage import passphrase as rage
from pyrage import x25519

from holdfast.archive.encryption.age import age_reader, age_sink
from holdfast.archive.encryption.age_scrypt import AgeScryptReader, AgeScryptSink
from holdfast.archive.encryption.gpg import GpgReader, GpgSink
from holdfast.archive.encryption.keys import Keys
from holdfast.archive.encryption.openssl import OpensslReader
from holdfast.archive.origin import Origin
from holdfast.archive.sink import Sink
from holdfast.errors import BackupDamaged, DecryptionFailed, InternalError, UsageError
from holdfast.runtime.secret import Secret

HERE = Origin("some.age", "here")
WORDS = Secret("correct horse ü".encode())
SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_000]


class Collected:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, block: bytes, /) -> object:
        self.data += block
        return None

    def finish(self) -> None:
        pass

    def abort(self) -> None:
        self.data.clear()


def through(sink: Sink, out: Collected, data: bytes) -> bytes:
    for start in range(0, len(data), 50_000):
        sink.write(data[start : start + 50_000])
    sink.finish()
    return bytes(out.data)


def scrypt_file(data: bytes, words: Secret = WORDS) -> bytes:
    out = Collected()
    return through(AgeScryptSink(out, words, work=10), out, data)


def keys(identity: x25519.Identity, *, readable: bool = True) -> Keys:
    secret = Secret(f"# a comment\n{identity}\n".encode()) if readable else None
    return Keys(encryption="age", recipients=(str(identity.to_public()),), identity=secret)


def age_file(data: bytes, using: Keys) -> bytes:
    out = Collected()
    return through(age_sink(out, using, "test"), out, data)


def gpg_file(data: bytes) -> bytes:
    out = Collected()
    return through(GpgSink(out, WORDS, "test"), out, data)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


# --- age with a passphrase ---


@pytest.mark.parametrize("size", SIZES)
def test_another_implementation_opens_our_passphrase_files_and_we_open_theirs(size: int) -> None:
    data = noise(size)
    assert rage.decrypt(scrypt_file(data), WORDS.reveal().decode()) == data
    sealed = scrypt_file(data)
    assert age_reader(io.BytesIO(sealed), Keys(passphrase=WORDS), HERE).read(-1) == data


def typed(command: list[str | Path], words: bytes) -> None:
    """Runs a program that asks a person at a terminal, and types the words each time."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    said = b""
    with contextlib.suppress(OSError):  # what a terminal raises when the program has ended
        while block := os.read(master, 1000):
            said += block
            if said.endswith(b": "):
                os.write(master, words + b"\n")
                said = b""
    os.close(master)
    assert process.wait(60) == 0


def test_the_program_age_opens_our_passphrase_files_and_we_open_its(tmp_path: Path) -> None:
    words = Secret(b"typed words")
    (tmp_path / "x.age").write_bytes(scrypt_file(b"opened by age", words))
    typed(["age", "-d", "-o", tmp_path / "out", tmp_path / "x.age"], words.reveal())
    assert (tmp_path / "out").read_bytes() == b"opened by age"
    typed(["age", "-p", "-o", tmp_path / "theirs.age", tmp_path / "out"], words.reveal())
    theirs = io.BytesIO((tmp_path / "theirs.age").read_bytes())
    assert age_reader(theirs, Keys(passphrase=words), HERE).read(-1) == b"opened by age"


def test_a_wrong_passphrase_is_said_to_be_one() -> None:
    with pytest.raises(DecryptionFailed) as caught:
        AgeScryptReader(io.BytesIO(), scrypt_file(b"x"), Secret(b"wrong"), HERE)
    assert caught.value.exit_code == 12
    with pytest.raises(DecryptionFailed):
        age_reader(io.BytesIO(scrypt_file(b"x")), Keys(), HERE)


@pytest.mark.parametrize("cut", [10, 100, 190, 200, 65_700, -70_000, -17, -1])
def test_a_passphrase_file_that_is_cut_is_damaged(cut: int) -> None:
    with pytest.raises(BackupDamaged):
        age_reader(io.BytesIO(scrypt_file(noise(200_000))[:cut]), Keys(passphrase=WORDS), HERE).read(-1)


def test_a_passphrase_file_that_was_changed_gives_nothing_changed_out(rng: random.Random) -> None:
    data = noise(150_000)
    sealed = scrypt_file(data)
    # Work that costs more than this test has time for is left alone.
    header = sorted({*range(150)} - {sealed.index(b" 10\n") + 1, sealed.index(b" 10\n") + 2})
    for at in [*header, *(rng.randrange(len(sealed)) for _ in range(40))]:
        garbled = bytearray(sealed)
        garbled[at] ^= 1 << rng.randrange(8)
        with pytest.raises((BackupDamaged, DecryptionFailed)):
            age_reader(io.BytesIO(garbled), Keys(passphrase=WORDS), HERE).read(-1)


def test_chunks_at_the_end_of_another_file_are_not_taken() -> None:
    first, whole = scrypt_file(noise(65_536)), scrypt_file(noise(131_072))
    with pytest.raises(BackupDamaged):
        age_reader(io.BytesIO(whole + first[-65_552:]), Keys(passphrase=WORDS), HERE).read(-1)


def test_a_header_cannot_ask_for_all_memory() -> None:
    sealed = scrypt_file(b"x").replace(b" 10\n", b" 40\n", 1)
    with pytest.raises(BackupDamaged):
        age_reader(io.BytesIO(sealed), Keys(passphrase=WORDS), HERE)


def test_no_two_files_begin_alike() -> None:
    assert len({scrypt_file(b"same")[:150] for _ in range(4)}) == 4


# --- age for recipients ---


@pytest.mark.parametrize("size", SIZES)
def test_the_program_age_opens_what_is_for_a_recipient(tmp_path: Path, size: int) -> None:
    identity, data = x25519.Identity.generate(), noise(size)
    (tmp_path / "key").write_text(str(identity))
    sealed = age_file(data, keys(identity))
    done = subprocess.run(["age", "-d", "-i", tmp_path / "key"], input=sealed, capture_output=True, check=True)
    assert done.stdout == data
    assert age_reader(io.BytesIO(sealed), keys(identity), HERE).read(-1) == data


def test_ssh_keys(tmp_path: Path) -> None:
    for kind in ("ed25519", "rsa"):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", tmp_path / kind], check=True)
        public = (tmp_path / f"{kind}.pub").read_text().strip()
        private = Secret((tmp_path / kind).read_bytes())
        using = Keys(encryption="age", recipients=(public,), identity=private)
        sealed = age_file(b"for a key of SSH", using)
        assert age_reader(io.BytesIO(sealed), using, HERE).read(-1) == b"for a key of SSH"
        done = subprocess.run(["age", "-d", "-i", tmp_path / kind], input=sealed, capture_output=True, check=True)
        assert done.stdout == b"for a key of SSH"


def test_whoever_writes_need_not_be_able_to_read() -> None:
    identity = x25519.Identity.generate()
    sealed = age_file(b"secret", keys(identity, readable=False))
    with pytest.raises(DecryptionFailed):
        age_reader(io.BytesIO(sealed), keys(identity, readable=False), HERE)
    with pytest.raises(DecryptionFailed):
        age_reader(io.BytesIO(sealed), keys(x25519.Identity.generate()), HERE).read(-1)
    assert age_reader(io.BytesIO(sealed), keys(identity), HERE).read(-1) == b"secret"


@pytest.mark.parametrize("cut", [10, 150, 230, 65_900, -1])
def test_a_file_for_a_recipient_that_is_cut_is_damaged(cut: int) -> None:
    identity = x25519.Identity.generate()
    sealed = age_file(noise(200_000), keys(identity))
    with pytest.raises(BackupDamaged):
        age_reader(io.BytesIO(sealed[:cut]), keys(identity), HERE).read(-1)


def test_a_reader_that_is_dropped_in_the_middle_ends_its_thread() -> None:
    identity = x25519.Identity.generate()
    reader = age_reader(io.BytesIO(age_file(bytes(20_000_000), keys(identity))), keys(identity), HERE)
    assert len(reader.read(10)) == 10
    reader.close()


@pytest.mark.parametrize("text", ["age1nonsense", "ssh-ed25519 AAAA", "nonsense", ""])
def test_a_malformed_recipient_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="public key"):
        age_file(b"", Keys(encryption="age", recipients=(text,)))


@pytest.mark.parametrize(
    "wrong",
    [
        Keys(encryption="age"),
        Keys(encryption="gpg"),
        Keys(encryption="gpg", recipients=("age1x",)),
        Keys(encryption="age", passphrase=WORDS, recipients=("age1x",)),
    ],
)
def test_settings_that_say_too_little_or_too_much(wrong: Keys) -> None:
    with pytest.raises(UsageError):
        wrong.check("test")


# --- GPG ---


def plain_gpg(arguments: list[str], data: bytes, home: Path) -> subprocess.CompletedProcess[bytes]:
    home.mkdir(mode=0o700, exist_ok=True)
    command = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--passphrase"]
    command += [WORDS.reveal().decode(), *arguments]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    return done


@pytest.fixture
def short_home() -> Path:
    with tempfile.TemporaryDirectory(prefix="g") as folder:
        yield Path(folder) / "h"


def test_gpg_opens_ours_and_we_open_what_people_make_by_hand(short_home: Path) -> None:
    data = noise(300_000)
    done = plain_gpg(["--decrypt"], gpg_file(data), short_home)
    assert done.stdout == data
    assert b"AES256.CFB encrypted" in done.stderr
    theirs = plain_gpg(["--symmetric", "--cipher-algo", "AES256"], data, short_home).stdout
    reader = GpgReader(io.BytesIO(theirs), WORDS, HERE)
    assert reader.read(-1) == data
    reader.close()


def test_a_wrong_passphrase_for_gpg_and_changes_are_noticed() -> None:
    sealed = gpg_file(noise(100_000))
    for garbled, error in (
        (sealed[: len(sealed) // 2], BackupDamaged),
        (sealed[:-1], BackupDamaged),
        (sealed[:50_000] + bytes([sealed[50_000] ^ 1]) + sealed[50_001:], BackupDamaged),
        (b"no gpg at all" * 50, BackupDamaged),
    ):
        reader = GpgReader(io.BytesIO(garbled), WORDS, HERE)
        with pytest.raises(error):
            reader.read(-1)
        reader.close()
    reader = GpgReader(io.BytesIO(sealed), Secret(b"wrong"), HERE)
    with pytest.raises(DecryptionFailed):
        reader.read(-1)
    reader.close()


class Unwilling(Collected):
    """A sink that fails in a way that nobody foresaw."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def write(self, block: bytes, /) -> object:
        raise self._error


class Panic(BaseException):
    """What a library written in Rust raises where it gives up."""


@pytest.mark.parametrize("error", [ValueError("defect"), Panic("defect")])
@pytest.mark.parametrize("size", [1, 10_000_000])
@pytest.mark.parametrize("kind", ["gpg", "age"])
def test_a_defect_behind_encryption_is_no_success(kind: str, size: int, error: BaseException) -> None:
    out = Unwilling(error)
    keys = Keys(recipients=(str(x25519.Identity.generate().to_public()),))
    sink: Sink = GpgSink(out, WORDS, "test") if kind == "gpg" else age_sink(out, keys, "test")
    with pytest.raises(BaseException, match="defect"):
        through(sink, out, bytes(size))
    sink.abort()


class Unreadable(io.BytesIO):
    """Stored bytes whose reading fails in a way that nobody foresaw."""

    def __init__(self, data: bytes, error: BaseException) -> None:
        super().__init__(data)
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 100_000:
            raise self._error
        return super().read(min(size or 0, 60_000))


@pytest.mark.parametrize("error", [KeyError("defect"), ValueError("defect"), Panic("defect")])
def test_a_defect_before_decryption_is_no_end(error: BaseException) -> None:
    reader = GpgReader(Unreadable(gpg_file(noise(1_000_000)), error), WORDS, HERE)
    with pytest.raises(InternalError):
        reader.read(-1)
    reader.close()


def test_gpg_leaves_no_home_and_no_agent() -> None:
    before = set(glob.glob(f"{tempfile.gettempdir()}/hf-gpg-*"))
    out = Collected()
    sink = GpgSink(out, WORDS, "test")
    sink.write(noise(1_000_000))
    sink.abort()
    gpg_file(b"x")
    reader = GpgReader(io.BytesIO(gpg_file(bytes(5_000_000))), WORDS, HERE)
    reader.read(10)
    reader.close()
    assert set(glob.glob(f"{tempfile.gettempdir()}/hf-gpg-*")) <= before
    agents = subprocess.run(["pgrep", "-af", "gpg-agent.*hf-gpg-"], capture_output=True, check=False)
    assert agents.stdout == b""


# --- openssl ---


@pytest.mark.parametrize("extra", [[], ["-pbkdf2"], ["-md", "md5"]])
@pytest.mark.parametrize("size", [5_000, 5_008, 1_000_000])
def test_files_of_openssl_are_read(extra: list[str], size: int) -> None:
    data = b"SQLite format 3\0" + noise(size)
    command = ["openssl", "enc", "-aes-256-cbc", "-salt", *extra, "-pass", "pass:secret words"]
    sealed = subprocess.run(command, input=data, capture_output=True, check=True).stdout
    assert OpensslReader(io.BytesIO(sealed), Secret(b"secret words"), HERE).read(-1) == data
    reader = OpensslReader(io.BytesIO(sealed), Secret(b"secret words"), HERE)
    assert b"".join(iter(lambda: reader.read(1000), b"")) == data
    for number in range(60):
        with pytest.raises(DecryptionFailed):
            OpensslReader(io.BytesIO(sealed), Secret(b"wrong %d" % number), HERE)
    with pytest.raises(BackupDamaged):
        OpensslReader(io.BytesIO(sealed[:-3]), Secret(b"secret words"), HERE).read(-1)
