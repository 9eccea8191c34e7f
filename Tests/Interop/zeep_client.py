"""A foreign client: zeep knows nothing but the WSDL. Logs in with a password over TLS, sends, lists, retrieves, and
checks the signature of every reply against the domain's root.

Usage: zeep_client.py PORT DOMAIN ROOT.pem USER PASSWORD-FILE RECIPIENT
Prints one line per step; exit status 0 only if all of them held.
"""
import datetime
import re
import sys
import uuid

import requests
from zeep.exceptions import Fault

from signed_replies import Domain, PasswordToken, lead_to_this_machine

port, name, root_file, user, password_file, recipient = sys.argv[1:7]
password = open(password_file).read().strip()
SUBJECT = "From a stock SOAP stack <&>"
TEXT = "Written by zeep.\nSecond line & more."
W = "urn:wsemail:2"


def message(client, identifier):
    """A Message made from the WSDL's own types."""
    types = client.type_factory(W)
    return types.MessageType(
        Id=identifier, From=types.MailboxType(user, name="Zeep"), To=[types.MailboxType(recipient)],
        Subject=SUBJECT, Date=datetime.datetime.now(datetime.timezone.utc), Body=types.BodyType(Text=TEXT))


def expect_fault(subcode, call):
    """The call must be answered by a signed fault with this subcode."""
    try:
        call()
    except Fault as fault:
        subcodes = [re.sub(r"^.*}", "", str(code)) for code in fault.subcodes or []]
        assert subcode in subcodes, (subcodes, fault.message)
        print("fault", subcode, fault.message)
        return
    raise SystemExit(f"expected the fault {subcode}")


def main():
    lead_to_this_machine(name)
    domain = Domain(name, port, root_file)
    session = requests.Session()
    session.trust_env = False
    # Without the domain's root there is no conversation: nobody else vouches for it.
    try:
        session.get(f"{domain.address}/wsemail?wsdl", timeout=10)
        raise SystemExit("the server was trusted without its root")
    except requests.exceptions.SSLError:
        print("tls", "refused without the root")
    token = PasswordToken(domain, user, password)
    client, service = domain.client(token)

    identifier = f"urn:uuid:{uuid.uuid4()}"
    receipt = service.Send(Message=message(client, identifier))
    statuses = {entry["_value_1"]: entry["status"] for entry in receipt["Recipient"]}
    assert receipt["MessageId"] == identifier and statuses[recipient] in ("delivered", "accepted"), receipt
    print("sent", identifier, statuses)

    listing = service.List(Folder="Sent", Limit=10)
    found = [header for header in listing["Header"] if header["id"] == identifier]
    assert len(found) == 1 and found[0]["subject"] == SUBJECT, listing
    print("listed", found[0]["uid"])

    stored = service.Retrieve(Id=identifier)
    assert stored["Message"]["Body"]["Text"] == TEXT and stored["Message"]["Id"] == identifier, stored
    print("retrieved", stored["Folder"])

    expect_fault("UnknownMessage", lambda: service.Retrieve(Id=f"urn:uuid:{uuid.uuid4()}"))
    token.password = "wrong" + password
    expect_fault("FailedAuthentication", lambda: service.List(Folder="Inbox"))
    assert domain.checked == 5, "a reply went unchecked"
    print("signatures checked", domain.checked)


if __name__ == "__main__":
    main()
