"""A user of one domain fetches a file that lies at another, with nobody's code but MSAL's and zeep's.

zeep reads the mail at home, MSAL gets a token there (WS-Trust), zeep shows it to the author's server and takes the file inline.

Usage: federated_fetch.py USER PASSWORD-FILE SUBJECT OUTPUT-FILE HOME PORT ROOT.pem AUTHORS-DOMAIN PORT ROOT.pem
Prints one line per step; exit status 0 only if all of them held.
"""
import base64
import hashlib
import re
import sys

from lxml import etree
from msal import wstrust_request
from msal.mex import Mex
from zeep.exceptions import Fault
from zeep.wsse.utils import get_security_header

from signed_replies import Domain, PasswordToken, lead_to_this_machine, timestamp

ATTACHMENTS = "urn:wsemail:2:attachments"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
NOT_FOR_YOU = "there is no such attachment, or it is not for you"


class BearerToken:
    """SAML Token Profile 1.1.1 §3.5.2: an assertion beside a Timestamp; TLS carries the rest. Without one: anybody."""

    def __init__(self, domain, assertion=None):
        self.domain = domain
        self.assertion = assertion

    def apply(self, envelope, headers):
        security = get_security_header(envelope)
        security.append(timestamp())
        if self.assertion is not None:
            security.append(etree.fromstring(self.assertion))
        return envelope, headers

    def verify(self, envelope):
        return self.domain.check_reply(envelope)


def subcodes(fault):
    return [re.sub(r"^.*}", "", str(code)) for code in fault.subcodes or []]


def attachment_of(service, subject):
    """GUID, name and digest of the one attachment of the mail with that subject."""
    [header] = [header for header in service.List(Folder="Inbox", Limit=10)["Header"] if header["subject"] == subject]
    stored = service.Retrieve(Id=header["id"])
    [promised] = stored["Message"]["Attachment"]
    [kept] = stored["Postmark"]["Attachment"]
    assert kept["sha256"] == promised["sha256"], (kept, promised)
    return kept["guid"], promised["name"], promised["sha256"]


def token(home, user, password, audience):
    """The assertion, as MSAL cuts it out of the reply (by regular expression)."""
    result = wstrust_request.send_request(
        user, password, audience, f"{home.address}/wsemail", Mex.ACTION_13, home.session(), timeout=30)
    assert result["type"].endswith("#SAMLV2.0") or result["type"] == SAML, result["type"]
    # It stands for itself: no namespace comes from the reply around it.
    assertion = etree.fromstring(result["token"])
    assert assertion.tag == "{%s}Assertion" % SAML, assertion.tag
    return result["token"], assertion.findtext("{%s}Subject/{%s}NameID" % (SAML, SAML))


class Fetcher:
    """Extension calls to the server where a file lies. A bearer assertion serves one call, and so does a challenge."""

    def __init__(self, domain, issue):
        self.issue = issue
        self.credential = BearerToken(domain)
        self.anybody = domain.client(BearerToken(domain))[1]
        self.bearer = domain.client(self.credential)[1]

    def challenge(self):
        return self.anybody.Challenge()["Challenge"]

    def get(self, guid, challenge=None, assertion=None):
        self.credential.assertion = assertion or self.issue()
        request = etree.Element("{%s}Get" % ATTACHMENTS, guid=guid, inline="true")
        arguments = {} if challenge is None else {"challenge": challenge}
        answer = self.bearer.Extension(_value_1=request, identifier=ATTACHMENTS, **arguments)
        return getattr(answer, "_value_1", answer)


def expect_fault(subcode, call, reason=None):
    try:
        call()
    except Fault as fault:
        assert subcode in subcodes(fault), (subcodes(fault), fault.message)
        assert reason is None or reason == fault.message, fault.message
        print("fault", subcode, fault.message)
        return
    raise SystemExit(f"expected the fault {subcode}")


def main():
    user, password_file, subject, output, name, port, root, author_name, author_port, author_root = sys.argv[1:11]
    password = open(password_file).read().strip()
    lead_to_this_machine(name, author_name)
    home, away = Domain(name, port, root), Domain(author_name, author_port, author_root)

    guid, file_name, digest = attachment_of(home.client(PasswordToken(home, user, password))[1], subject)
    print("attachment", guid, file_name)

    try:
        token(home, user, "wrong" + password, f"urn:wsemail:domain:{author_name}")
        raise SystemExit("a token was issued for a wrong password")
    except RuntimeError as error:
        assert "FailedAuthentication" in str(error), error
        print("token refused", "FailedAuthentication")
    assertion, subject_name = token(home, user, password, f"urn:wsemail:domain:{author_name}")
    assert subject_name == user, subject_name
    print("token", subject_name)

    def issue(audience=author_name):
        return token(home, user, password, f"urn:wsemail:domain:{audience}")[0]

    fetcher = Fetcher(away, issue)
    challenge = fetcher.challenge()
    answer = fetcher.get(guid, challenge, assertion)
    assert answer.tag == "{%s}GetAnswer" % ATTACHMENTS and answer.get("guid") == guid, etree.tostring(answer)[:300]
    assert answer.get("to") == user, answer.get("to")
    data = base64.b64decode(answer.findtext("{%s}Data" % ATTACHMENTS))
    assert hashlib.sha256(data).digest() == digest and base64.b64decode(answer.get("sha256")) == digest
    open(output, "wb").write(data)
    print("fetched", len(data), "octets, digest verified")

    expect_fault("Replay", lambda: fetcher.get(guid, fetcher.challenge(), assertion))
    expect_fault("FailedAuthentication", lambda: fetcher.get(guid, challenge))
    expect_fault("FailedAuthentication", lambda: fetcher.get(guid))
    expect_fault("ExtensionFailed", lambda: fetcher.get("0" * 32, fetcher.challenge()), NOT_FOR_YOU)
    expect_fault("InvalidToken", lambda: fetcher.get(guid, fetcher.challenge(), issue(audience=name)))
    print("signatures checked", home.checked + away.checked)


if __name__ == "__main__":
    main()
