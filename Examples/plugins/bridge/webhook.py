#!/usr/bin/env python3
"""A program for the server's bridge (docs/plugins.md, "The bridge"): tells others of each event.

    webhook.py --url https://hooks.example.org/mail     posts each event as JSON
    webhook.py --file /var/log/wsemail-events.jsonl     appends each event as a line of JSON

With --required a delivery that could not be told of is tried again later; else it proceeds, and the failure is logged.
Python 3.9 or later, nothing but its standard library.
"""
import argparse
import json
import sys
import urllib.request

NAMES = {1: "role", 2: "eventID", 3: "messageID", 4: "from", 5: "to", 6: "cc", 7: "date", 8: "inReplyTo", 9: "size", 10: "trait",
         11: "attachment", 12: "attachmentName", 13: "mediaType", 14: "sha256", 15: "recipient", 16: "hops", 17: "domain",
         18: "subject", 19: "text", 20: "html", 23: "principal", 24: "method", 26: "extensionIdentifier", 27: "requestXML"}
REPEATED = {"to", "cc", "trait", "attachment", "recipient"}
VERDICT, REASON, SECONDS, ANSWER = 64, 65, 71, 73


def fields(frame):
    """The (tag, value) pairs of a frame: a tag, a length in 4 octets (little-endian), so many octets."""
    at = 0
    while at < len(frame):
        count = int.from_bytes(frame[at + 1:at + 5], "little")
        yield frame[at], frame[at + 5:at + 5 + count]
        at += 5 + count


def frame(*pairs):
    return b"".join(bytes([tag]) + len(value).to_bytes(4, "little") + value for tag, value in pairs)


def as_dictionary(octets):
    """An event for JSON. Unknown tags, and XML as signed octets, are left out."""
    event = {}
    for tag, value in fields(octets):
        name = NAMES.get(tag)
        if name is None:
            continue
        if name == "attachment":
            value = as_dictionary(value)
        elif name == "sha256":
            value = value.hex()
        else:
            value = value.decode()
        if name in REPEATED:
            event.setdefault(name, []).append(value)
        else:
            event[name] = value
    return event


def tell(options, event):
    line = json.dumps(event, ensure_ascii=False)
    if options.file:
        with open(options.file, "a", encoding="utf-8") as file:
            file.write(line + "\n")
    else:
        # The event's id is the same when the server repeats it: the receiver can tell.
        headers = {"Content-Type": "application/json", "Idempotency-Key": event.get("eventID", event.get("messageID", ""))}
        request = urllib.request.Request(options.url, data=line.encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=options.timeout):
            pass


def verdict(options, octets):
    event = as_dictionary(octets)
    try:
        tell(options, event)
    except (OSError, ValueError) as error:
        print(f"could not tell of {event.get('messageID', 'a request')}: {error}", file=sys.stderr, flush=True)
        if options.required and event["role"] == "delivery":
            return frame((VERDICT, b"later"), (SECONDS, b"60"), (REASON, b"the webhook is not reachable"))
    if event["role"] == "extension":
        return frame((VERDICT, b"answer"), (ANSWER, b'<Accepted xmlns="urn:wsemail:bridge"></Accepted>'))
    return b""  # proceed


def main():
    parser = argparse.ArgumentParser()
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url")
    where.add_argument("--file")
    parser.add_argument("--required", action="store_true")
    parser.add_argument("--timeout", type=float, default=0.7)
    options = parser.parse_args()
    events, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := events.read(4)) == 4:
        answer = verdict(options, events.read(int.from_bytes(head, "little")))
        answers.write(len(answer).to_bytes(4, "little") + answer)
        answers.flush()


if __name__ == "__main__":
    main()
