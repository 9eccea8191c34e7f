"""A foreign client: zeep knows nothing but the WSDL. Logs in with a password over TLS, sends, lists, retrieves, and
checks the signature of every reply against the domain's root.

Usage: zeep_client.py PORT DOMAIN ROOT.pem USER PASSWORD-FILE RECIPIENT
Prints one line per step; exit status 0 only if all of them held.
"""
import base64
import datetime
import re
import socket
import sys
import uuid

import requests
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree
from zeep import Client, Settings
from zeep.exceptions import Fault, SignatureVerificationFailed
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

port, domain, root_file, user, password_file, recipient = sys.argv[1:7]
password = open(password_file).read().strip()
SUBJECT = "From a stock SOAP stack <&>"
TEXT = "Written by zeep.\nSecond line & more."

address = f"https://{domain}:{port}"
root = x509.load_pem_x509_certificate(open(root_file, "rb").read())

DS = "http://www.w3.org/2000/09/xmldsig#"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
W = "urn:wsemail:2"
ns = {"ds": DS, "wsse": WSSE, "s": SOAP}

# The domain's name leads to this machine: what DNS would do.
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve("127.0.0.1" if host == domain else host, *rest, **more)


def check_server_certificate(der):
    """The certificate is issued by the pinned root and names the domain."""
    certificate = x509.load_der_x509_certificate(der)
    root.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(SHA256()))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert domain in names.get_values_for_type(x509.DNSName), names
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert any(usage.dotted_string.startswith("2.25.") for usage in usages), "not a mail signing certificate"
    return certificate


class CheckedUsernameToken(UsernameToken):
    """PasswordText with a Timestamp; every reply must be signed by the domain."""

    checked = 0

    def verify(self, envelope):
        signature = envelope.find(".//s:Header/wsse:Security/ds:Signature", ns)
        if signature is None:
            raise SignatureVerificationFailed("the reply is not signed")
        tokens = envelope.findall(".//s:Header/wsse:Security/wsse:BinarySecurityToken", ns)
        assert len(tokens) == 1, "expected the server's certificate as one BinarySecurityToken"
        certificate = check_server_certificate(base64.b64decode(tokens[0].text))
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(
            certificate.public_bytes(serialization.Encoding.PEM), xmlsec.constants.KeyDataFormatCertPem)
        for element in envelope.iter():
            identifier = element.get("{%s}Id" % WSU)
            if identifier is not None:
                context.register_id(element, "Id", WSU)
        context.verify(signature)
        covered = {reference.get("URI") for reference in signature.iterfind(".//ds:Reference", ns)}
        body = envelope.find("s:Body", ns)
        assert "#" + body.get("{%s}Id" % WSU) in covered, "the Body is not covered"
        CheckedUsernameToken.checked += 1
        return envelope


def timestamp():
    """A wsu:Timestamp of five minutes; zeep puts it beside the password."""
    now = datetime.datetime.now(datetime.timezone.utc)
    element = etree.Element("{%s}Timestamp" % WSU)
    for name, moment in (("Created", now), ("Expires", now + datetime.timedelta(minutes=5))):
        etree.SubElement(element, "{%s}%s" % (WSU, name)).text = (
            # Milliseconds: a call dated before the start of its server is refused, and this server has just started.
            moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z")
    return element


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
    session = requests.Session()
    session.trust_env = False
    # Without the domain's root there is no conversation: nobody else vouches for it.
    try:
        session.get(f"{address}/wsemail?wsdl", timeout=10)
        raise SystemExit("the server was trusted without its root")
    except requests.exceptions.SSLError:
        print("tls", "refused without the root")
    session.verify = root_file
    token = CheckedUsernameToken(user, password, timestamp_token=timestamp())
    client = Client(
        f"{address}/wsemail?wsdl", transport=Transport(session=session), wsse=token, settings=Settings(strict=True))
    # The WSDL names the public host; this test reaches it by the mail domain.
    service = client.create_service(list(client.wsdl.bindings)[0], f"{address}/wsemail")

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
    assert CheckedUsernameToken.checked == 5, "a reply went unchecked"
    print("signatures checked", CheckedUsernameToken.checked)


if __name__ == "__main__":
    main()
