"""Judges our SOAP and WS-Security with zeep, python-xmlsec and libxml2. One JSON object in, one out.

Jobs ("op"):
  wsdl    wsdl: text                        -> operations, and zeep's own messages built from plain types
  sign    wsdl, operation, arguments, key (PEM), certificate (PEM), algorithm, binary
                                            -> envelope signed by zeep's Signature or BinarySignature
  verify  envelope, certificate (PEM)       -> signed: local names of the elements that the signature covers
  schema  schema: text, instances: [text]   -> errors: per instance, the validator's complaints
"""
import datetime
import json
import sys
import tempfile

import xmlsec
from lxml import etree
from zeep import Client
from zeep.wsse.signature import MemorySignature, _make_sign_key, _make_verify_key
from zeep.wsse.signature import _sign_envelope_with_key, _sign_envelope_with_key_binary, _verify_envelope_with_key
from zeep.wsse.utils import get_security_header

NS = {
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
}
METHODS = {
    "ecdsa-sha256": xmlsec.Transform.ECDSA_SHA256,
    "rsa-sha256": xmlsec.Transform.RSA_SHA256,
    "rsa-sha512": xmlsec.Transform.RSA_SHA512,
}


class TimestampedSignature(MemorySignature):
    """zeep signs a Timestamp if there is one, and never makes one."""

    def __init__(self, job):
        super().__init__(job["key"].encode(), job["certificate"].encode())
        self.job = job

    def apply(self, envelope, headers):
        now = datetime.datetime.fromtimestamp(self.job["now"], datetime.timezone.utc)
        timestamp = etree.SubElement(get_security_header(envelope), etree.QName(NS["wsu"], "Timestamp"))
        for name, time in (("Created", now), ("Expires", now + datetime.timedelta(minutes=5))):
            etree.SubElement(timestamp, etree.QName(NS["wsu"], name)).text = time.strftime(self.job["format"])
        key = _make_sign_key(self.key_data, self.cert_data, None)
        sign = _sign_envelope_with_key_binary if self.job["binary"] else _sign_envelope_with_key
        sign(envelope, key, METHODS[self.job["algorithm"]], xmlsec.Transform.SHA256)
        return envelope, headers


def client_for(job, wsse=None):
    with tempfile.NamedTemporaryFile(suffix=".wsdl") as file:
        file.write(job["wsdl"].encode())
        file.flush()
        return Client(file.name, wsse=wsse)


def text(envelope):
    return etree.tostring(envelope, xml_declaration=True, encoding="utf-8").decode()


def wsdl(job):
    client = client_for(job)
    operations = sorted(client.service._operations)
    digest = b"\0" * 32
    identifier = "urn:uuid:00000000-0000-4000-8000-000000000000"
    message = {
        "Id": identifier,
        "From": {"_value_1": "alice@capicom.test", "name": "Alice"},
        "To": [{"_value_1": "bob@scopio.test"}],
        "Subject": "Hello",
        "Date": datetime.datetime(2026, 11, 23, 19, 25, 38, tzinfo=datetime.timezone.utc),
        "Body": {"Text": "Hi Bob"},
        "Attachment": [{"name": "a.txt", "type": "text/plain", "size": 3, "sha256": digest}],
    }
    arguments = {
        "Send": {"Message": message, "Bcc": ["carol@capicom.test"], "Blob": [b"abc"]},
        "List": {"Folder": "Inbox", "Limit": 50},
        "Retrieve": {"Id": identifier},
        "Challenge": {},
        "Delete": {"Id": [identifier]},
        "Mark": {"Id": [identifier], "Add": "seen"},
        "Status": {"Id": identifier},
        "Extension": {"identifier": "urn:example:vacation:1", "_value_1": etree.fromstring("<status/>")},
        "PeerStatus": {"MessageId": identifier, "MessageDigest": digest},
    }
    built = {name: text(client.create_message(client.service, name, **args)) for name, args in arguments.items()}
    return {"operations": operations, "envelopes": built, "address": client.service._binding_options["address"]}


def sign(job):
    client = client_for(job, TimestampedSignature(job))
    return {"envelope": text(client.create_message(client.service, job["operation"], **job["arguments"]))}


def verify(job):
    envelope = etree.fromstring(job["envelope"].encode())
    _verify_envelope_with_key(envelope, _make_verify_key(job["certificate"].encode()))
    names = []
    for reference in envelope.xpath("//ds:Signature/ds:SignedInfo/ds:Reference", namespaces=NS):
        (element,) = envelope.xpath("//*[@wsu:Id=$id]", id=reference.get("URI")[1:], namespaces=NS)
        names.append(etree.QName(element).localname)
    return {"signed": names}


def schema(job):
    validator = etree.XMLSchema(etree.fromstring(job["schema"].encode()))
    errors = []
    for instance in job["instances"]:
        document = etree.fromstring(instance.encode())
        errors.append("" if validator.validate(document) else str(validator.error_log.last_error))
    return {"errors": errors}


job = json.load(sys.stdin)
try:
    answer = {"wsdl": wsdl, "sign": sign, "verify": verify, "schema": schema}[job["op"]](job)
except Exception as error:  # the test prints it
    answer = {"error": f"{type(error).__name__}: {error}"}
json.dump(answer, sys.stdout)
