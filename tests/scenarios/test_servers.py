"""The servers and the shell: manifest, restarts, names, files, pipes, jobs."""

import io
import re
import tarfile

import pytest
from guest import PROMPT as PROMPT_ANYWHERE
from guest import ROOT, report

PROMPT = r"\n" + PROMPT_ANYWHERE
MANIFEST = (ROOT / "user/etc/manifest").read_text()


@pytest.fixture
def sh(weir):
    """sh("a | b"): the Result of one boot that runs it."""
    return lambda text, **options: weir("sh", "-c", text, **options)


def say(console, line):
    """What is printed between a line that is typed and the next prompt."""
    console.send(line + "\r")
    console.expect(PROMPT)
    return console.before.replace("\r", "").partition("\n")[2]


# --- the manifest -----------------------------------------------------------
@pytest.fixture
def with_manifest(weir, variant):
    """Boots with another manifest."""
    def change(text):
        def edit(boot):
            path = boot / "initrd.tar"
            old = tarfile.open(path)
            members = [(m, old.extractfile(m).read()) for m in old]
            with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as new:
                for member, data in members:
                    if member.name == "etc/manifest":
                        data = text.encode()
                        member.size = len(data)
                    if data is not None:
                        new.addfile(member, io.BytesIO(data))
        return edit

    def boot(text, *command, **options):
        return weir(*command, iso=variant(change(text)), **options)
    return boot


BAD_LINES = {
    "loud servers/names louder": "unknown word or bad value: louder",
    "Loud servers/names": "a name is",
    "averyveryverylongname servers/names": "a name is",
    "alone": "the program is missing",
    "names servers/names": "already",
    "many servers/names keep=513": "unknown word or bad value: keep=513",
    "many servers/names state=": "unknown word or bad value: state=",
    "many servers/names irq=16": "unknown word or bad value: irq=16",
    "many servers/names ports=3ff-3f8": "unknown word or bad value: ports=",
    "many servers/names ports=10000-10001": "unknown word or bad value: ",
    "many servers/names restart=maybe": "unknown word or bad value: restart=",
    "other bin/shell session": "there is a session already",
    "ghost bin/ghost restart=never": "cannot start bin/ghost: no such",
    "x servers/names " + "y" * 300: "the line is too long",
}


def test_each_bad_line_is_told_and_nothing_else_is_lost(with_manifest):
    text = MANIFEST + "# a comment\n\n" + "\n".join(BAD_LINES) + "\n"
    first = MANIFEST.count("\n") + 3
    result = with_manifest(text, "ls", "/VERSION", cpus=2)
    assert result.status == 0 and "VERSION" in result.text, report(result)
    for number, (line, complaint) in enumerate(BAD_LINES.items(), first):
        assert re.search(rf"etc/manifest:{number}: .*{re.escape(complaint)}",
                         result.console), (line, report(result))


@pytest.mark.parametrize("text,complaint", [
    ("", "no service is marked"), ("# nothing\n", "no service is marked"),
    ("shell bin/nosuch session\n", "the system cannot start: bin/nosuch: ")])
def test_no_manifest_to_speak_of(with_manifest, text, complaint):
    result = with_manifest(text, "echo", "x", cpus=1)
    assert complaint in result.console, report(result)
    assert result.status == 96


def test_without_a_file_server_programs_come_from_the_initrd(with_manifest):
    text = "\n".join(line for line in MANIFEST.split("\n")
                     if not line.startswith("fs")) + "\n"
    assert with_manifest(text, "echo", "x", cpus=1).text == "x\n"


def test_back_off_doubles(with_manifest):
    text = MANIFEST + "bad bin/crash restart=always\n" \
        "once bin/crash restart=never\ngood bin/true restart=crash\n"
    result = with_manifest(text, "sleep", "2", cpus=2)
    waits = re.findall(r"the bad ended with status 2; starting another in "
                       r"(\d+) ms", result.console)
    wanted = [str(50 << i) for i in range(7)]
    # 50 + 100 + ... + 1600 ms is more than 3 s, and the boot is short.
    assert 4 <= len(waits) <= 7 and waits == wanted[:len(waits)], \
        report(result)
    assert result.console.count("once ended with status 2") == 1
    assert result.console.count("good ended with status 0") == 1


def test_back_off_starts_again_after_a_while(sh):
    """10 s are enough."""
    result = sh("service kill fs; sleep 0.4; service kill fs; sleep 11; "
                "service kill fs; ls /VERSION", cpus=1)
    waits = re.findall(r"the fs ended with status 92; starting another in "
                       r"(\d+) ms", result.console)
    assert waits == ["50", "100", "50"] and result.status == 0, report(result)


# --- what a program sees ----------------------------------------------------
@pytest.mark.parametrize("cpus", [1, 4])
@pytest.mark.parametrize("what", ["names", "fs", "paged", "console", "pipe",
                                  "broken", "restart"])
def test_servers(clean, what, cpus):
    assert " 0 failed" in clean("servers", what, cpus=cpus).text


@pytest.mark.parametrize("cpus,seed", [(1, 3), (2, 4), (4, 5)])
def test_killed_pipelines_leak_nothing(clean, cpus, seed):
    assert " 0 failed" in clean("servers", "storm", str(seed),
                                cpus=cpus).text


@pytest.mark.parametrize("seed", range(1, 5))
def test_servers_answer_nonsense(clean, seed):
    """And none of them crashes over it."""
    assert " 0 failed" in clean("servers", "fuzz", str(seed), cpus=2).text


@pytest.mark.parametrize("server", ["names", "fs", "console"])
def test_clients_survive_a_server(sh, server):
    """Whoever is asked next is the next incarnation, which knows it all."""
    result = sh(f"mkdir /d; echo kept > /d/f; service kill {server}; "
                f"cat /d/f; ls /d; names; service | grep {server}; "
                "echo over", cpus=2)
    assert result.status == 0, report(result)
    assert result.text.startswith("kept\n       5 f\nconsole\nfs\n")
    assert re.search(rf"{server} +runs +1 restarts\nover\n$", result.text)
    assert f"the {server} ended with status 92; starting another in 50 ms" \
        in result.console


def test_output_survives_the_console(sh):
    """Not a byte is lost or doubled, whoever writes when it dies."""
    kills = "; ".join(["service kill console", "sleep 0.2"] * 3)
    result = sh(f"seq 1 3000 & {kills}; wait; echo over", cpus=2)
    wanted = "".join(f"{n}\n" for n in range(1, 3001)) + "over\n"
    assert result.text == wanted, report(result)


def test_state_that_is_thrown_away(sh):
    """After the fourth crash in a row; clients go on with what there is."""
    kills = "; ".join(["service kill console", "sleep 0.8"] * 5)
    result = sh(f"yes | sum & {kills}; kill 1; echo over; cat < /VERSION",
                cpus=2)
    assert "the console fails again and again" in result.console
    assert result.text.startswith("over\nWeir "), report(result)


# --- pipes, redirection, statuses -------------------------------------------
def fnv(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & (1 << 64) - 1
    return f"{value:016x}"


def noise(count, seed=1):
    out = bytearray()
    mask = (1 << 64) - 1
    for _ in range(count):
        seed ^= seed << 13 & mask
        seed ^= seed >> 7
        seed ^= seed << 17 & mask
        out.append(seed >> 32 & 0xff)
    return bytes(out)


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_a_mebibyte_through_pipes(sh, cpus):
    size = 1 << 20
    result = sh(f"servers bytes {size} | cat | cat | sum", cpus=cpus)
    assert result.text == f"{fnv(noise(size))} {size}\n", report(result)


@pytest.mark.parametrize("text,output,status", [
    ("yes | head -n 3", "y\n" * 3, 0),
    ("seq 1 1000 | grep 99 | wc", "19 19 75\n", 0),
    ("echo a; false; echo $?; true; echo $?", "a\n1\n0\n", 0),
    ("false && echo no || echo yes", "yes\n", 0),
    ("true || echo no && echo yes", "yes\n", 0),
    ("true | false", "", 1), ("false | true", "", 0),
    ("nosuch | wc", "nosuch: no such program; try help\n0 0 0\n", 0),
    ("echo x | nosuch", "nosuch: no such program; try help\n", 98),
    ("crash illegal | wc; crash illegal | cat; crash illegal > /f", None,
     97),
    ("poweroff x", None, 2), ("exit 7; echo no", "", 7),
    ("A=1 B='x  y'; echo $A \"$B\" '$A' ${A}2 $none.", "1 x  y $A 12 .\n",
     0),
    ("echo 'a|b' \"c;d\" e\\&f # | comment", "a|b c;d e&f\n", 0),
    ("echo 1 > /f; echo 2 >> /f; cat < /f > /g; cat /f /g", "1\n2\n1\n2\n",
     0),
    ("seq 1 5000 > /f; wc < /f; cp /f /g; cat /g | sum; sum < /f",
     None, 0),
    ("cat /nosuch", "cat: /nosuch: no such file or folder\n", 1),
    ("cat < /nosuch", "shell: /nosuch: no such file or folder\n", 96),
    ("echo x > /bin", "shell: /bin: it is a folder\n", 96),
    ("mkdir /a; mkdir /a/b; mv /a /a/b", "mv: /a to /a/b/a: a folder cannot "
     "go into itself\n", 1),
    ("mkdir /a; mkdir /a/b; rm /a",
     "rm: /a: the folder is not empty\n", 1),
    ("mkdir /" + "n" * 32, "mkdir: /" + "n" * 32
     + ": a name is empty or too long\n", 1),
    ("echo 'echo $1-$#; exit 3' > /s; sh /s one two; echo $?",
     "one-2\n3\n", 0),
    ("echo 'echo from a file' > /s; sh < /s", "from a file\n", 0),
    ("sleep 0.2 & sleep 0.1 & wait; jobs; echo $?", "0\n", 0),
    ("sleep 100 & kill 1; wait 1; echo $?", "92\n", 0),
    ("yes > /dev/null", "shell: /dev/null: no such file or folder\n", 96),
    ("kill 5", "kill: there is no job 5\n", 1),
    ("sh -c 'sh -c \"echo deep\" | cat' | cat", "deep\n", 0),
    ("cp /bin/echo /e; /e moved", "moved\n", 0),
])
def test_commands(sh, text, output, status):
    result = sh(text, cpus=2)
    assert result.status == status, report(result)
    if output is not None:
        assert result.text == output


def test_files_that_are_too_big_or_too_many(sh):
    """Whoever writes them is told, and ends; nobody else is in trouble."""
    line = "y" * 200
    result = sh(f"yes {line} > /a; echo $?; yes {line} > /b; echo $?; rm /a; "
                "rm /b; cp /bin/echo /e; /e alive; service", cpus=2, mem=32)
    assert "output: the file would be too big\n93\n" in result.text, \
        report(result)
    assert "output: out of memory\n93\n" in result.text
    assert "alive\n" in result.text
    assert result.text.count(" 0 restarts") == 5


@pytest.mark.parametrize("text,column,sentence", [
    ("echo 'abc", 6, "a quote is not closed"),
    ("echo a | | b", 10, "a command is missing"),
    ("| b", 1, "a command is missing"),
    ("a && ", 6, "a command is missing"),
    ("a |", 4, "a command is missing"),
    ("&", 1, "a command is missing"),
    ("echo > ", 6, "a file is missing after the redirection"),
    ("echo > a > b", 10, "the output is redirected twice"),
    ("echo ${x", 6, "${ without a name and }"),
    (" | ".join("abcdefghi"), 32, "too many commands in a pipeline"),
    (" ".join(["w"] * 33), 65, "too many words"),
])
def test_parse_errors(sh, text, column, sentence):
    """Told by position; nothing of the line has run."""
    result = sh("echo first; " + text, cpus=1)
    assert result.status == 2, report(result)
    assert result.text == f"shell: column {column + 12}: {sentence}\n"


def test_script_errors_have_a_line(sh):
    result = sh("echo 'echo one' > /s; echo 'a ||| b' >> /s; sh /s", cpus=1)
    assert result.text == "one\n/s:2: column 5: a command is missing\n"


def test_a_crash_is_the_end_of_the_file(sh):
    result = sh("crash illegal | wc", cpus=2)
    assert result.text.endswith("0 0 0\n") and "killed" in result.text


def test_full_table_of_jobs(sh):
    result = sh("; ".join(["sleep 100 &"] * 17).replace("&;", "&"), cpus=1)
    assert "too many jobs" in result.text, report(result)


# --- several clients, and a person at the console ---------------------------
def test_lines_of_clients_do_not_mix(sh):
    one, two = "a" * 60, "b" * 60
    result = sh(f"yes {one} | head -n 300 & yes {two} | head -n 300; wait",
                cpus=4)
    lines = result.text.split("\n")
    assert set(lines) == {one, two, ""}, report(result)
    assert lines.count(one) == lines.count(two) == 300, report(result)


@pytest.mark.parametrize("words", ["head -n 300 < /f", "cat /f | head -n 300"])
def test_blocks_of_input_do_not_cut_lines(sh, words):
    """The piece of a line with which a block of input ends is no prompt."""
    line = "x" * 60
    result = sh(f"yes {line} | head -n 300 > /f; {words}", cpus=1)
    sent = [payload for kind, payload in result.records if kind == "out"]
    assert sent == [f"{line}\n".encode()] * 300, report(result)


@pytest.mark.parametrize("to", ["| cat", "> /f; cat /f"])
def test_lines_of_writers_do_not_mix(sh, to):
    """Two programs at one end of a pipe, or of one file."""
    one, two = "a" * 61, "b" * 67
    result = sh(f"sh -c 'yes {one} | head -n 900 & yes {two} | head -n 900; "
                f"wait' {to}", cpus=4)
    lines = result.text.split("\n")
    assert set(lines) == {one, two, ""}, report(result)
    assert lines.count(one) == lines.count(two) == 900, report(result)


def test_a_pipe_has_many_writers_in_turn(sh):
    """More than there are places for at once."""
    result = sh("yes 'echo x' | head -n 100 > /s; sh /s | wc", cpus=2)
    assert result.text == "100 100 200\n", report(result)


def test_ctrl_c_ends_the_whole_pipeline(console):
    console.send("yes | cat | sum; echo never\r")
    console.expect("never")
    console.expect("\n")
    console.send("\x03")
    console.expect(PROMPT)
    assert "[status 95]" in console.before and "never" not in console.before
    tasks = say(console, "ps")
    assert " yes " not in tasks and " sum " not in tasks
    assert say(console, "echo $?") == "0"


def test_jobs(console):
    assert "[1] sleep 100" in say(console, "sleep 100 &")
    assert "[2] yes | sum" in say(console, "yes | sum &")
    both = say(console, "jobs")
    assert "[1] running   sleep 100" in both
    assert "[2] running   yes | sum" in both
    # Ctrl-C at the prompt and in the foreground spares the background.
    console.send("\x03")
    console.expect(PROMPT)
    console.send("sleep 100\r")
    console.expect("sleep 100\r*\n")
    console.send("\x03")
    console.expect(r"\[status 95\]")
    console.expect(PROMPT)
    assert "[2] running" in say(console, "jobs")
    assert say(console, "kill 2; wait 2") == "[status 92]"
    console.send("fg 1\r")
    console.expect("sleep 100\r*\n")
    console.send("\x03")
    console.expect(r"\[status 95\]")
    console.expect(PROMPT)
    assert say(console, "jobs") == ""


def test_a_reader_in_the_background_waits(console):
    say(console, "cat > /typed &")
    assert say(console, "echo for the shell") == "for the shell"
    console.send("fg\rfor cat\r")
    console.expect("cat > /typed\r*\n")
    console.expect("for cat\r*\n")
    console.send("cut\x7f\x7f\x7ftwo\r\x04")  # edited by the console
    console.expect(PROMPT)
    assert say(console, "cat /typed") == "for cat\ntwo"


def test_the_console_dies_while_a_line_is_typed(console):
    console.send("sh -c 'sleep 1; service kill console' &\r")
    console.expect(PROMPT)
    console.send("echo one")
    console.expect("starting another in 50 ms .restart 1.")
    console.send(" two\r")
    console.expect("one two\r*\n")  # typed, or already what echo says
    console.expect(PROMPT_ANYWHERE)
    assert say(console, "wait; echo alive").endswith("alive")


def test_the_shell_dies_in_the_foreground(console):
    """The next one has the console, and nothing of the last one's is left."""
    for i in range(2):
        say(console, "yes | sum &")
        console.send("service kill shell\r")
        console.expect(rf"status 92; starting another in {50 << i} ms")
        console.expect(PROMPT)
    assert say(console, "jobs") == ""
    tasks = say(console, "ps")
    assert " yes " not in tasks and tasks.count(" shell ") == 1


def test_a_console_that_crashes_again_and_again(console):
    for i in range(5):
        console.send("service kill console\r")
        console.expect(rf"in {50 << i} ms .restart {i + 1}.")
        console.expect(PROMPT)
    assert say(console, "echo alive") == "alive"
    console.send("sleep 100\r")
    console.expect("sleep 100\r*\n")
    console.send("\x03")
    console.expect(r"\[status 95\]")


def test_the_console_dies_while_a_program_reads(console):
    console.send("sh -c 'sleep 1; service kill console' & cat > /typed\r")
    console.expect("typed\r*\n")
    console.send("one")
    console.expect("starting another in 50 ms .restart 1.")
    console.send(" two\r\x04")
    console.expect(PROMPT)
    assert say(console, "cat /typed").startswith("one two")
    console.send("sleep 100\r")
    console.expect("sleep 100\r*\n")
    console.send("\x03")  # it is still known whom this is for
    console.expect(r"\[status 95\]")


def test_a_program_that_takes_all_memory_leaves_the_servers(console):
    assert "[status 97]" in say(console, "crash memory")
    assert "/VERSION" in say(console, "ls /VERSION")
    assert say(console, "service").count(" 0 restarts") == 5
