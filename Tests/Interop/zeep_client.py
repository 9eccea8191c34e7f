"""A foreign client: zeep knows nothing but the WSDL. Logs in with a password over TLS, sends, lists, retrieves, and
checks the signature of every reply against the domain's root.

Usage: zeep_client.py PORT DOMAIN ROOT.pem USER PASSWORD-FILE RECIPIENT
Prints one line per step; exit status 0 only if all of them held.
"""
import datetime
import re
import socket
import sys
import tempfile
import uuid

import requests
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree
from zeep import Client, Settings
from zeep.exceptions import Fault, SignatureVerificationFailed
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

port, domain, root_file, user, password_file, recipient = sys.argv[1:7]
password = open(password_file).read().strip()
address = f"https://{domain}:{port}"
root_pem = open(root_file, "rb").read()
root = x509.load_pem_x509_certificate(root_pem)

DS = "http://www.w3.org/2000/09/xmldsig#"
DSIG11 = "http://www.w3.org/2009/xmldsig11#"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
W = "urn:wsemail:2"
ns = {"ds": DS, "wsse": WSSE, "wsu": WSU, "s": SOAP, "w": W, "ds11": DSIG11}

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
        certificate = check_server_certificate(__import__("base64").b64decode(tokens[0].text))
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(
            certificate.public_bytes(serialization.Encoding.PEM), xmlsec.constants.KeyDataFormatCertPem)
        xmlsec.tree.add_ids(envelope, ["Id"])
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


def main():
    with tempfile.NamedTemporaryFile(suffix=".pem") as roots:
        roots.write(root_pem)
        roots.flush()
        session = requests.Session()
        session.verify = roots.name
        # Without TLS trust there is no conversation: the system's roots do not know this domain.
        try:
            requests.get(f"{address}/wsemail?wsdl", timeout=10)
            raise SystemExit("the server was trusted without its root")
        except requests.exceptions.SSLError:
            pass
        now = datetime.datetime.now(datetime.timezone.utc)
        timestamp = etree.Element("{%s}Timestamp" % WSU)
        etree.SubElement(timestamp, "{%s}Created" % WSU).text = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        etree.SubElement(timestamp, "{%s}Expires" % WSU).text = (
            now + datetime.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        token = CheckedUsernameToken(user, password, timestamp_token=timestamp)
        from zeep.wsa import WsAddressingPlugin
        client = Client(
            f"{address}/wsemail?wsdl", transport=Transport(session=session), wsse=token,
            plugins=[WsAddressingPlugin(address_url=f"urn:wsemail:domain:{domain}")],
            settings=Settings(strict=True, xml_huge_tree=False))
        # The WSDL names the public host; this test reaches it by the mail domain.
        service = client.create_service(list(client.wsdl.bindings)[0], f"{address}/wsemail")

        identifier = f"urn:uuid:{uuid.uuid4()}"
        receipt = service.Send(Message={
            "_attr_1": None, "Id": identifier, "From": {"_value_1": user, "name": "Zeep"},
            "To": [{"_value_1": recipient}], "Subject": "From a stock SOAP stack <&>",
            "Date": now, "Body": {"Text": "Written by zeep.\nSecond line & more."}}) if False else send(
                client, service, identifier, now)
        statuses = {entry["_value_1"]: entry["status"] for entry in receipt["Recipient"]}
        assert statuses[recipient] in ("delivered", "accepted"), statuses
        assert receipt["MessageId"] == identifier
        print("sent", identifier, statuses)

        listing = service.List(Folder="Sent", Limit=10)
        found = [header for header in listing["Header"] if header["id"] == identifier]
        assert len(found) == 1 and found[0]["subject"] == "From a stock SOAP stack <&>", listing
        print("listed", found[0]["uid"])

        with client.settings(raw_response=False):
            stored = service.Retrieve(Id=identifier)
        assert stored["Message"]["Body"]["Text"] == "Written by zeep.\nSecond line & more.", stored
        assert stored["Message"]["Id"][-1] == identifier or identifier in str(stored["Message"]["Id"])
        print("retrieved", stored["Folder"])

        try:
            service.Retrieve(Id=f"urn:uuid:{uuid.uuid4()}")
            raise SystemExit("an unknown message was retrieved")
        except Fault as fault:
            print("fault", [re.sub(r"^.*}", "", str(code)) for code in fault.subcodes or []], fault.message)
        token.password = "wrong" + password
        try:
            service.List(Folder="Inbox")
            raise SystemExit("a wrong password was accepted")
        except Fault as fault:
            print("refused", fault.message)
        assert CheckedUsernameToken.checked >= 4, "replies went unchecked"
        print("replies checked", CheckedUsernameToken.checked)


def send(client, service, identifier, now):
    """Builds the Message from the WSDL's own types."""
    factory = client.type_factory(W)
    message = factory.MessageType(
        From=factory.MailboxType(user, name="Zeep"), To=[factory.MailboxType(recipient)],
        Subject="From a stock SOAP stack <&>", Date=now,
        Body=factory.BodyType(Text="Written by zeep.\nSecond line & more."))
    message.Id = identifier
    return service.Send(Message=message)["Receipt"] if hasattr(service.Send, "x") else service.Send(Message=message)


if __name__ == "__main__":
    main()
