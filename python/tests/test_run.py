"""`python -m heartwire run`, beside what Python itself does with a program; and `install()`."""

import os
import signal
import subprocess
import sys
import zipfile

import pytest

#: A program, and a module beside it.
PROGRAM = """
import sys, threading
print(__name__, __package__, __spec__ and __spec__.name)
print(__file__, __doc__, sys.argv)
import beside
print(beside.NAME, sys.path[0], sys.modules["__main__"].__dict__ is globals())
import pickle
class Thing: pass
print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)
import __main__
print(__main__.Thing is Thing)
class Late(threading.Thread):
    def run(self):
        threading.main_thread().join()
        import __main__
        print("late", pickle.loads(pickle.dumps(Thing())).__class__ is Thing, __main__.Thing is Thing)
Late().start()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "program.py").write_text(f'"""What it is."""\n{PROGRAM}')
    (tmp_path / "beside.py").write_text("NAME = __name__\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # The place that it is run from is not looked at.
    (elsewhere / "beside.py").write_text("NAME = 'the wrong one'\n")
    return tmp_path


def python(*command, cwd, how="", options=()):
    command = [sys.executable, *options, *how.split(), *map(str, command)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=110)


def both(*command, cwd):
    """What Python does, and what this does."""
    plain = python(*command, cwd=cwd)
    ours = python(*command, cwd=cwd, how="-m heartwire run")
    return [(done.returncode, done.stdout, done.stderr) for done in (plain, ours)]


@pytest.mark.parametrize("how", ["relative", "absolute", "link", "module"])
def test_program_finds_what_it_finds_without(folder, how):
    cwd = folder / "elsewhere"
    if how == "relative":
        expected, found = both("../program.py", "-x", "--strict", "a b", cwd=cwd)
    elif how == "absolute":
        expected, found = both(folder / "program.py", cwd=cwd)
    elif how == "link":
        (cwd / "link.py").symlink_to(folder / "program.py")
        expected, found = both("link.py", cwd=cwd)
    else:
        expected, found = both("-m", "program", "-x", "a b", cwd=folder)
    # Once it has ended, runpy takes the program away from under its threads.
    if how == "module":
        expected, found = ((code, out.partition("late")[0], "") for code, out, _ in (expected, found))
    assert found == expected
    assert found[0] == 0 and found[1].startswith("__main__ ")
    assert not list((folder / "__pycache__").glob("program.*"))


def test_folders_and_archives(folder):
    cwd = folder / "elsewhere"
    (cwd / "package").mkdir()
    (cwd / "package/__main__.py").write_text("import sys, within; print(within.NAME, sys.argv[1:])\n")
    (cwd / "package/within.py").write_text("NAME = __name__\n")
    with zipfile.ZipFile(cwd / "package.pyz", "w") as archive:
        for name in ("__main__.py", "within.py"):
            archive.write(cwd / "package" / name, name)
    for name in ("package", "package.pyz"):
        expected, found = both(name, "x", cwd=cwd)
        assert found == expected == (0, "within ['x']\n", "")


@pytest.mark.parametrize(
    "ending",
    [
        "sys.exit()",
        "sys.exit(3)",
        "sys.exit('why')",
        "raise SystemExit(4)",
        "os._exit(5)",
        "def f(): g()\ndef g(): 1 / 0\nf()",
        "try: 1 / 0\nexcept ZeroDivisionError: [][1]",
        "import beside_not",
        "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
        "sys.excepthook = lambda kind, *_: print('own', kind); 1 / 0",
        "a =",
    ],
)
def test_ends_of_programs(tmp_path, ending):
    """The code, and the words, without lines of ours."""
    (tmp_path / "program.py").write_text(f"import os, signal, sys, time\n{ending}\n")
    expected, found = both("program.py", cwd=tmp_path)
    assert found == expected
    assert (found[0] == -signal.SIGINT) == ("SIGINT" in ending)


def test_what_is_missing(tmp_path):
    missing = str(tmp_path / "missing.py")
    cases = [
        (["missing.py"], 2, f"can't open file {missing!r}: [Errno 2] No such file or directory"),
        (["-m", "missing"], 1, "No module named missing"),
        (["-m", "missing.too"], 1, "No module named missing.too"),
    ]
    for command, code, message in cases:
        expected, found = both(*command, cwd=tmp_path)
        assert found == (code, "", f"python -m heartwire run: {message}\n")
        assert expected[0] == code


WHICH = """
import engineio, repod
print(engineio.Client.__module__, repod.Client.__module__)
try:
    print(engineio.Client().send("x"), engineio.Client().transport())
except (engineio.exceptions.EngineIOError, ValueError) as error:
    print(type(error).__name__)
import asyncio
try:
    print(asyncio.run(engineio.AsyncClient().send("x")), engineio.AsyncClient().transport())
except (engineio.exceptions.EngineIOError, ValueError) as error:
    print(type(error).__name__)
"""
MODULES = "heartwire.engineio.client heartwire.repod.client\n"


@pytest.mark.parametrize("is_strict", [False, True])
def test_strict(tmp_path, is_strict):
    """`send()` without a connection is silent, as it was, or raises."""
    told = MODULES + ("SocketIsClosedError\n" * 2 if is_strict else "None None\n" * 2)
    (tmp_path / "program.py").write_text(WHICH)
    for how in ("program.py", "-m program"):
        command = [*(["--strict"] if is_strict else []), *how.split()]
        done = python(*command, cwd=tmp_path, how="-m heartwire run")
        assert (done.stdout, done.stderr) == (told, "")
    install = f"import heartwire; heartwire.install(strict={is_strict})\n"
    done = python("-c", install + WHICH, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (told, "")


def test_install_again_says_whether_it_is_strict(tmp_path):
    program = """
import heartwire
heartwire.install()
import engineio
heartwire.install(strict=True)
try:
    engineio.Client().send("x")
except engineio.exceptions.SocketIsClosedError as error:
    print(error)
heartwire.install()
print(engineio.Client().send("x"))
"""
    done = python("-c", program, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("Socket is closed\nNone\n", "")


@pytest.mark.parametrize("name", ["engineio", "repod"])
def test_install_comes_first(tmp_path, name):
    (tmp_path / "repod.py").touch()
    program = f"import {name}, heartwire; heartwire.install()"
    done = python("-c", program, cwd=tmp_path)
    assert done.returncode == 1
    message = f"ImportError: {name} is imported already: call heartwire.install() before\n"
    assert done.stderr.endswith(message)


def test_command_line_is_explained(tmp_path):
    done = python(cwd=tmp_path, how="-m heartwire")
    assert done.returncode == 2 and "usage: python -m heartwire" in done.stderr
    done = python("--help", cwd=tmp_path, how="-m heartwire run")
    assert done.returncode == 0 and "--strict" in done.stdout and os.linesep in done.stdout
