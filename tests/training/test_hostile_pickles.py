"""Pickles that somebody with bad intentions could hand over: nothing in them runs, and none of them grows in memory."""

import pickle
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.training.exported import mappings_of, random_arrays, ratings_table, save_export
from training.__main__ import main
from training.errors import ImportingError
from training.importing.pickled import read_pickle

CANARY = "canary"
SHELL = f"touch {CANARY}"
CALL = f"open('{CANARY}', 'w')"
_FEW_BYTES = 32 << 20


def text(value: str) -> bytes:
    raw = value.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def of(body: bytes, protocol: int = 4) -> bytes:
    return b"\x80" + bytes([protocol]) + body + b"."


def number(value: int, width: int) -> bytes:
    return value.to_bytes(width, "little")


SYSTEM = name("os", "system") + text(SHELL) + b"\x85R"
OBJECT_TYPE = name("numpy", "dtype") + text("O8") + b"\x89\x88\x87R"
I8 = name("numpy", "dtype") + text("i8") + b"\x89\x88\x87R"
SCALAR = name("numpy.core.multiarray", "scalar")
PAYLOAD = pickle.dumps(SHELL, 0)
GADGET = name("builtins", "getattr") + name("builtins", "__import__") + text("x") + b"\x86R"

# What would run, or be built, where pickle.load reads it; and the cause that is told.
RUNNING: dict[str, tuple[bytes, str]] = {
    "os.system by REDUCE": (of(SYSTEM), "it asks for 'os.system'"),
    "posix.system beside good mappings": (
        of(b"}\x94(" + text("num_users") + b"K\x01" + text("x") + SYSTEM.replace(b"\x02os", b"\x05posix") + b"u"),
        "it asks for 'posix.system'",
    ),
    "builtins.eval": (of(name("builtins", "eval") + text(CALL) + b"\x85R"), "it asks for 'builtins.eval'"),
    "builtins.exec": (of(name("builtins", "exec") + text(CALL) + b"\x85R"), "it asks for 'builtins.exec'"),
    "subprocess.Popen": (
        of(name("subprocess", "Popen") + b"](" + text("touch") + text(CANARY) + b"e\x85R"),
        "it asks for 'subprocess.Popen'",
    ),
    "GLOBAL in protocol 4": (of(b"cos\nsystem\n" + text(SHELL) + b"\x85R"), "instruction GLOBAL"),
    "INST in protocol 0": (f"(S'{SHELL}'\nios\nsystem\n.".encode(), "it is no pickle of protocol 4 or 5"),
    "INST in protocol 4": (of(b"(" + text(SHELL) + b"ios\nsystem\n"), "instruction INST"),
    "OBJ of __builtin__": (f'(c__builtin__\neval\nS"{CALL}"\no.'.encode(), "it is no pickle of protocol 4 or 5"),
    "OBJ in protocol 4": (of(b"(" + name("numpy", "dtype") + text(SHELL) + b"o"), "instruction OBJ"),
    "protocol 2": (
        of(b"cos\nsystem\nX" + number(len(SHELL), 4) + SHELL.encode() + b"\x85R", 2),
        "of protocol 2; only 4",
    ),
    "a scalar of objects": (
        of(SCALAR + OBJECT_TYPE + b"C" + bytes([len(PAYLOAD)]) + PAYLOAD + b"\x86R"),
        "a NumPy scalar of type 'O8'; only numbers and texts are read",
    ),
    "a type that turns into objects": (
        of(
            SCALAR + I8 + b"(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ft" + b"b" + b"C\x01x\x86R"
        ),
        "a NumPy scalar of 1 bytes, not the 8 of i8",
    ),
    "a type with fields": (
        of(I8 + b"(K\x03" + text("|") + b"N" + text("a") + b"NK\x08K\x01K\x10tb"),
        "a dtype with a state that no number or text has",
    ),
    "a name with a dot": (of(name("numpy", "core.multiarray.scalar")), "it asks for 'numpy.core.multiarray.scalar'"),
    "a dot into a module": (
        of(name("numpy", "testing.os.system") + text(SHELL) + b"\x85R"),
        "numpy.testing.os.system'",
    ),
    "numpy.testing": (
        of(name("numpy.testing._private.utils", "runstring") + text(CALL) + b"}\x86R"),
        "it asks for 'numpy.testing._private.utils.runstring'",
    ),
    "numpy.load": (of(name("numpy", "load") + text(CANARY) + b"\x85R"), "it asks for 'numpy.load'"),
    "numpy's reconstruct": (of(name("numpy._core.multiarray", "_reconstruct")), "_reconstruct'"),
    "EXT1": (of(b"\x82\x01"), "instruction EXT1"),
    "EXT4": (of(b"\x84\x01\x00\x00\x00"), "instruction EXT4"),
    "PERSID": (of(b"Pos.system\n"), "instruction PERSID"),
    "BINPERSID": (of(text("os.system") + b"Q"), "instruction BINPERSID"),
    "BUILD of a dict": (of(b"}}" + text("__class__") + b"Nsb"), "a state (BUILD) for something that is no NumPy type"),
    "BUILD of a callable": (
        of(name("numpy", "dtype") + b"}" + text("__setstate__") + b"Nsb"),
        "a state (BUILD) for something that is no NumPy type",
    ),
    "BUILD with __dict__": (of(I8 + b"}" + text("__dict__") + b"}sb"), "a dtype with a state that no number"),
    "BUILD with two states": (of(I8 + b"N}" + text("code") + b"Ns\x86b"), "a tuple of other things"),
    "copyreg._reconstructor": (
        of(name("copyreg", "_reconstructor") + name("builtins", "object") + b"N\x86R"),
        "it asks for 'copyreg._reconstructor'",
    ),
    "codecs.encode": (of(name("_codecs", "encode") + text(SHELL) + text("rot13") + b"\x86R"), "'_codecs.encode'"),
    "getattr": (of(GADGET), "it asks for 'builtins.getattr'"),
    "NEWOBJ": (of(name("numpy", "dtype") + b"K\x01K\x02\x86\x81"), "instruction NEWOBJ"),
    "NEWOBJ_EX": (of(name("numpy", "dtype") + b"K\x01K\x02\x86}\x92"), "instruction NEWOBJ_EX"),
    "a name from the memo": (
        of(text("system") + b"\x94" + text("os") + b"\x94h\x01h\x00\x93" + text(SHELL) + b"\x85R"),
        "it asks for 'os.system'",
    ),
    "a callable as a value": (of(b"}" + text("x") + name("numpy", "dtype") + b"s"), "a dict with a value of type Name"),
    "dtype called with anything": (
        of(name("numpy", "dtype") + text(SHELL) + b"N\x86R"),
        "a call (REDUCE) that makes no",
    ),
    "dtype of a comma string": (
        of(name("numpy", "dtype") + text("i8,O") + b"\x89\x88\x87R"),
        "a NumPy scalar of type 'i8,O'",
    ),
    "NEXT_BUFFER": (of(b"\x97", 5), "instruction NEXT_BUFFER"),
    "no instruction": (of(b"\xff"), "byte 0xff, which is no instruction"),
}

# What would fill the memory, or take for ever, elsewhere.
GROWING: dict[str, tuple[bytes, str]] = {
    "tuples in tuples": (
        of(b"NN\x86\x94" + b"".join(b"h%ch%c\x86\x94" % (n, n) for n in range(100))),
        "a tuple of other things than a NumPy scalar is made of",
    ),
    "lists in lists": (of(b"]\x94(h\x00h\x00e"), "instruction EMPTY_LIST"),
    "a dict in many places": (of(b"}\x94}(" + b"K\x01h\x00" * 500 + b"u"), "a dict or a set stands in two places"),
    "a set in many places": (of(b"}\x8f\x94(K\x01\x90(" + b"K\x01h\x00" * 500 + b"u"), "a dict or a set stands in two"),
    "a dict in itself": (of(b"}\x94K\x01h\x00s"), "a dict or a set stands in two places"),
    "dicts in dicts": (of(b"}(K\x01" * 5000), "dicts in dicts, deeper than any"),
    "dicts without end": (of(b"}" * 100_000), "more than 64 dicts"),
    "sets without end": (of(b"\x8f" * 100_000), "more than 12 sets, one for each user"),
    "tuples without end": (of(b"N\x85" * 100_000), "instruction TUPLE1"),
    "nothing without end": (of(b"N" * 3_000_000), "more values are open at once"),
    "numbers without end": (of(b"K\x01" * 3_000_000), "more values are open at once"),
    "marks without end": (of(b"(" * 100_000), "deeper than any table of ids"),
    "a text many times": (
        of(b"X" + number(1 << 20, 4) + b"a" * (1 << 20) + b"\x94}(" + b"h\x00N" * 400 + b"u"),
        "more than 268,435,456 characters",
    ),
    "LONG4 of 2 GB": (of(b"\x8b\xff\xff\xff\x7f"), "instruction LONG4"),
    "LONG1 of 255 bytes": (of(b"\x8a\xff" + b"\x7f" * 255), "a whole number of 255 bytes; 64 bits are the most"),
    "BINBYTES8 of 8 EB": (of(b"\x8e" + b"\xff" * 7 + b"\x7f"), "instruction BINBYTES8"),
    "BINUNICODE8 of 8 EB": (of(b"\x8d" + b"\xff" * 7 + b"\x7f"), "instruction BINUNICODE8"),
    "BYTEARRAY8 of 8 EB": (of(b"\x96" + b"\xff" * 7 + b"\x7f", 5), "instruction BYTEARRAY8"),
    "BINUNICODE of 4 GB": (of(b"X\xff\xff\xff\xff"), "it is cut off: 4,294,967,295 bytes should follow, there are 1"),
    "BINBYTES of 4 GB": (of(b"B\xff\xff\xff\xff"), "it is cut off: 4,294,967,295 bytes should follow"),
    "a FRAME of 16 EB": (of(b"\x95" + b"\xff" * 8), "it is cut off: 18,446,744,073,709,551,615 bytes should follow"),
    "a memo of 64 GB": (of(b"Nr\xff\xff\xff\xff"), "instruction LONG_BINPUT"),
    "a memo that is empty": (of(b"j\xff\xff\xff\xff"), "value 4294967295 is asked for, of 0 so far"),
    "a text type of 8 GB": (
        of(name("numpy", "dtype") + text("U2000000000") + b"\x89\x88\x87R"),
        "of type 'U2000000000'",
    ),
    "a void type": (of(name("numpy", "dtype") + text("V2000000000") + b"\x89\x88\x87R"), "of type 'V2000000000'"),
}

MALFORMED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it is no pickle of protocol 4 or 5"),
    "only a protocol": (b"\x80", "it is cut off: 2 bytes should follow, there are 1"),
    "without an end": (of(b"}")[:-1], "it is cut off: 1 bytes should follow, there are 0"),
    "a cut number": (b"\x80\x04M\x01", "it is cut off: 2 bytes should follow, there are 1"),
    "a second pickle": (of(b"}") + of(SYSTEM), "bytes follow its end"),
    "two values": (of(b"}}"), "it ends without one plain value"),
    "no value": (of(b""), "it ends without one plain value"),
    "an open mark": (of(b"}("), "it ends without one plain value"),
    "bytes": (of(b"C\x01a"), "it holds a bytes, not a dict"),
    "a set at the top": (of(b"\x8f"), "holds a set, not the notebook's mappings"),
    "a number at the top": (of(b"K\x01"), "holds 1, not the notebook's mappings"),
    "a missing value": (of(b"s"), "a value is missing"),
    "a missing mark": (of(b"}u"), "a mark is missing"),
    "a key without a value": (of(b"}(K\x01u"), "items for something that is no dict"),
    "items for a number": (of(b"K\x01(K\x01K\x02u"), "items for something that is no dict"),
    "a dict as a key": (of(b"}}Ns"), "a dict with a key of type Table"),
    "None as a key": (of(b"}NNs"), "a dict with a key of type NoneType"),
    "True as a key": (of(b"}\x88Ns"), "a dict with a key of type bool"),
    "bytes as a value": (of(b"}NC\x01as"), "a dict with a"),
    "texts in a set": (of(b"\x8f(" + text("a") + b"\x90"), "a set of something else than whole numbers"),
    "True in a set": (of(b"\x8f(\x88\x90"), "a set of something else than whole numbers"),
    "members of a dict": (of(b"}(K\x01\x90"), "members for something that is no set"),
    "text that is not UTF-8": (of(b"\x8c\x02\xff\xfe"), "a text that is not UTF-8"),
    "half a character": (of(b"\x8c\x03\xed\xa0\x80"), "a text that is not UTF-8"),
    "a name of numbers": (of(b"K\x01K\x02\x93"), "a name that is no text"),
    "a character that is none": (
        of(SCALAR + name("numpy", "dtype") + text("U1") + b"\x89\x88\x87RC\x04\xff\xff\xff\xff\x86R"),
        "can't decode bytes",
    ),
    "a scalar that is too long": (
        of(SCALAR + I8 + b"C\x09123456789\x86R"),
        "a NumPy scalar of 9 bytes, not the 8 of i8",
    ),
}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return save_export(tmp_path / "saved", mappings_of(ratings_table()), random_arrays())


def test_the_bait_works_where_a_pickle_is_run(tmp_path: Path) -> None:
    (tmp_path / "bait.pkl").write_bytes(of(SYSTEM))
    command = [sys.executable, "-c", "import pickle; pickle.load(open('bait.pkl', 'rb'))"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / CANARY).exists()


RUNS = ("import", "os.system", "os.posix_spawn", "subprocess.Popen", "exec", "compile", "pickle.find_class")


def watched(file: Path) -> list[str]:
    """What reading `file` imported, compiled, ran or started."""
    # The codec of NumPy's texts is imported when it is first used.
    "a".encode("utf-32-le")
    ran: list[str] = []
    watching = [True]

    def watch(event: str, arguments: Any) -> None:
        if watching and event in RUNS:
            ran.append(f"{event} {arguments}")

    sys.addaudithook(watch)
    with suppress(ImportingError):
        read_pickle(file, most_sets=12)
    # A hook can't be taken away.
    watching.clear()
    return ran


EVERY = RUNNING | GROWING | MALFORMED


@pytest.mark.parametrize(("raw", "cause"), EVERY.values(), ids=EVERY.keys())
def test_a_hostile_pickle_is_refused_before_anything_runs(
    raw: bytes,
    cause: str,
    export: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (export / "mappings.pkl").write_bytes(raw)
    assert watched(export / "mappings.pkl") == []
    assert main(["import-notebook", str(export), "out"]) == 1
    told = capsys.readouterr().err
    assert cause in told
    assert told.startswith(f"matinee: {export / 'mappings.pkl'}: ")
    assert told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.parametrize("raw", [raw for raw, _ in GROWING.values()], ids=GROWING.keys())
def test_a_small_pickle_stays_small_in_memory(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "mappings.pkl").write_bytes(raw)
    tracemalloc.start()
    try:
        with pytest.raises(ImportingError):
            read_pickle(tmp_path / "mappings.pkl", most_sets=12)
        assert tracemalloc.get_traced_memory()[1] < _FEW_BYTES
    finally:
        tracemalloc.stop()
