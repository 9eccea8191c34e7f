"""A user fetches a file from their own server with zeep and the password: the same bytes, though zeep cannot do MTOM.

Usage: inline_fetch.py USER PASSWORD-FILE SUBJECT OUTPUT-FILE DOMAIN PORT ROOT.pem
Prints one line per step; exit status 0 only if all of them held.
"""
import base64
import hashlib
import sys

from lxml import etree

from federated_fetch import ATTACHMENTS, attachment_of
from signed_replies import Domain, PasswordToken, lead_to_this_machine


def main():
    user, password_file, subject, output, name, port, root = sys.argv[1:8]
    lead_to_this_machine(name)
    domain = Domain(name, port, root)
    _, service = domain.client(PasswordToken(domain, user, open(password_file).read().strip()))
    guid, file_name, digest = attachment_of(service, subject)
    print("attachment", guid, file_name)
    request = etree.Element("{%s}Get" % ATTACHMENTS, guid=guid, inline="true")
    answer = service.Extension(_value_1=request, identifier=ATTACHMENTS)
    answer = getattr(answer, "_value_1", answer)
    data = base64.b64decode(answer.findtext("{%s}Data" % ATTACHMENTS))
    assert hashlib.sha256(data).digest() == digest, "another file"
    open(output, "wb").write(data)
    print("fetched", len(data), "octets, digest verified")
    print("signatures checked", domain.checked)


if __name__ == "__main__":
    main()
