"""For the foreign clients beside this file: zeep that reaches a domain of a test and checks the signature of every reply."""
import base64
import datetime
import socket

import requests
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree
from zeep import Client, Settings
from zeep.exceptions import SignatureVerificationFailed
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
NAMESPACES = {
    "ds": "http://www.w3.org/2000/09/xmldsig#", "wsse": WSSE, "s": "http://www.w3.org/2003/05/soap-envelope"}


def lead_to_this_machine(*domains):
    """What DNS would do."""
    resolve = socket.getaddrinfo
    socket.getaddrinfo = lambda host, *rest, **more: resolve(
        "127.0.0.1" if host in domains else host, *rest, **more)


def timestamp():
    """A wsu:Timestamp of five minutes."""
    now = datetime.datetime.now(datetime.timezone.utc)
    element = etree.Element("{%s}Timestamp" % WSU)
    for name, moment in (("Created", now), ("Expires", now + datetime.timedelta(minutes=5))):
        etree.SubElement(element, "{%s}%s" % (WSU, name)).text = (
            # Milliseconds: a call dated before the start of its server is refused, and this server has just started.
            moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z")
    return element


class Domain:
    """Who a server must prove to be: its mail domain, by certificates under its root."""

    def __init__(self, name, port, root_file):
        self.name = name
        self.address = f"https://{name}:{port}"
        self.root_file = root_file
        self.root = x509.load_pem_x509_certificate(open(root_file, "rb").read())
        self.checked = 0

    def session(self):
        """HTTPS under the domain's root and no other."""
        session = requests.Session()
        session.trust_env = False
        session.verify = self.root_file
        return session

    def client(self, wsse):
        """zeep's service, made from the WSDL. The WSDL names the public host; a test reaches it by the mail domain."""
        client = Client(
            f"{self.address}/wsemail?wsdl", transport=Transport(session=self.session()), wsse=wsse,
            settings=Settings(strict=True))
        return client, client.create_service(list(client.wsdl.bindings)[0], f"{self.address}/wsemail")

    def check_certificate(self, der):
        """The certificate is issued by the pinned root and names the domain."""
        certificate = x509.load_der_x509_certificate(der)
        self.root.public_key().verify(
            certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(SHA256()))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert self.name in names.get_values_for_type(x509.DNSName), names
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert any(usage.dotted_string.startswith("2.25.") for usage in usages), "not a mail signing certificate"
        return certificate

    def check_reply(self, envelope):
        """The reply is signed by the domain, over its Body."""
        signature = envelope.find(".//s:Header/wsse:Security/ds:Signature", NAMESPACES)
        if signature is None:
            raise SignatureVerificationFailed("the reply is not signed")
        tokens = envelope.findall(".//s:Header/wsse:Security/wsse:BinarySecurityToken", NAMESPACES)
        assert len(tokens) == 1, "expected the server's certificate as one BinarySecurityToken"
        certificate = self.check_certificate(base64.b64decode(tokens[0].text))
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(
            certificate.public_bytes(serialization.Encoding.PEM), xmlsec.constants.KeyDataFormatCertPem)
        for element in envelope.iter():
            identifier = element.get("{%s}Id" % WSU)
            if identifier is not None:
                context.register_id(element, "Id", WSU)
        context.verify(signature)
        covered = {reference.get("URI") for reference in signature.iterfind(".//ds:Reference", NAMESPACES)}
        body = envelope.find("s:Body", NAMESPACES)
        assert "#" + body.get("{%s}Id" % WSU) in covered, "the Body is not covered"
        self.checked += 1
        return envelope


class PasswordToken(UsernameToken):
    """PasswordText with a Timestamp of its own for each call; every reply must be signed by the domain."""

    def __init__(self, domain, user, password):
        super().__init__(user, password)
        self.domain = domain

    def apply(self, envelope, headers):
        self.timestamp_token = timestamp()
        return super().apply(envelope, headers)

    def verify(self, envelope):
        return self.domain.check_reply(envelope)
