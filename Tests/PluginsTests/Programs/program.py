"""Plays the bridge's program in tests: `program.py MODE [ARGUMENT…]`."""
import os
import signal
import sys
import time

mode, arguments = sys.argv[1], sys.argv[2:]
received, answers = sys.stdin.buffer, sys.stdout.buffer


def read_event():
    head = received.read(4)
    if len(head) < 4:
        sys.exit(0)
    return received.read(int.from_bytes(head, "little"))


def field(tag, value):
    return bytes([tag]) + len(value).to_bytes(4, "little") + value


def fields(frame):
    at = 0
    while at < len(frame):
        count = int.from_bytes(frame[at + 1:at + 5], "little")
        yield frame[at], frame[at + 5:at + 5 + count]
        at += 5 + count


def first(frame, tag):
    return next((value for found, value in fields(frame) if found == tag), b"")


def answer(frame):
    answers.write(len(frame).to_bytes(4, "little") + frame)
    answers.flush()


def file_into(text):
    """The verdict that shows a test what the program knows: as a folder's name."""
    answer(field(64, b"file") + field(66, text.encode()))


def log_start(path):
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")


count = 0
if mode in ("crash-first", "counts-starts", "sleep-with-child"):
    log_start(arguments[0])
talks = mode == "talks-later" and not os.path.exists(arguments[0])
if mode == "deaf":
    os.close(0)
if mode == "ignores-signals":
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
while True:
    event = read_event()
    count += 1
    if mode == "proceed" or mode == "counts-starts":
        answer(b"" if count % 2 else field(64, b"proceed"))
    elif mode == "by-role":
        role = first(event, 1)
        if role == b"sending":
            answer(field(64, b"refuse") + field(65, b"not on Mondays") + field(72, b"yes"))
        elif role == b"extension" and b"secret" in first(event, 27):
            answer(field(64, b"refuse") + field(65, b"no secrets"))
        elif role == b"extension":
            answer(field(64, b"answer") + field(73, b"<Echo>" + first(event, 23) + b"</Echo>"))
        else:
            file_into(" ".join([first(event, tag).decode() for tag in (2, 15, 18)]))
    elif mode == "knows":
        environment = " ".join(sorted(os.environ))
        descriptors = " ".join(sorted(name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")))
        file_into(f"{environment}|{descriptors}|{os.getcwd()}|{os.getpgid(0) == os.getpid()}"[:100])
    elif mode == "pid":
        file_into(str(os.getpid()))
    elif mode == "one-then-end":
        file_into(str(os.getpid()))
        sys.exit(0)
    elif mode == "talks-later":
        file_into(str(os.getpid()))
        if talks:
            while not os.path.exists(arguments[0]):
                time.sleep(0.001)
            answer(b"")
            log_start(arguments[0])
    elif mode == "slow":
        time.sleep(0.4)
        file_into(str(count))
    elif mode == "gate":
        log_start(arguments[0])
        while not os.path.exists(f"{arguments[0]}.{count}"):
            time.sleep(0.001)
        file_into(str(count))
    elif mode == "crash":
        print("about to fall", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    elif mode == "crash-first":
        with open(arguments[0]) as file:
            if len(file.readlines()) == 1:
                os._exit(3)
        answer(b"")
    elif mode in ("hang", "ignores-signals"):
        time.sleep(3600)
    elif mode == "sleep-with-child":
        if os.fork() == 0:
            log_start(arguments[0])
        time.sleep(3600)
    elif mode == "garbage":
        answer(b"\x40\xff\xff\xff\xffrefuse")
    elif mode == "wrong-role":
        answer(field(64, b"answer") + field(73, b"<a></a>"))
    elif mode == "huge":
        answers.write((1 << 30).to_bytes(4, "little") + bytes(1 << 16))
        answers.flush()
        time.sleep(3600)
    elif mode == "just-too-large" or mode == "largest":
        element = b"x" * ((1 << 20) - 16 + (1 if mode == "just-too-large" else 0))
        answer(field(64, b"answer") + field(73, element))
    elif mode == "half":
        answers.write(b"\x10\x00\x00\x00ab")
        answers.flush()
        os._exit(0)
    elif mode == "two-answers":
        answers.write(bytes(8))
        answers.flush()
    elif mode == "chatty":
        print("one\ntwo \x07bell", file=sys.stderr, flush=True)
        sys.stderr.write("y" * 200_000 + "\n")
        sys.stderr.flush()
        answer(b"")
    elif mode == "slow-reader":
        answer(b"")
