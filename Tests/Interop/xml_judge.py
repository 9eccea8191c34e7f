"""Judges for XMLCore and XMLSecurity: libxml2 (through ctypes) for canonical XML, signxml for signatures.

Reads a JSON list of jobs from standard input and writes the list of answers. One process does many jobs.
"""
import base64
import ctypes
import datetime
import json
import sys


class Node(ctypes.Structure):
    """What xmlNode, xmlAttr and xmlDoc have in common."""


Pointer = ctypes.POINTER(Node)
Node._fields_ = [
    ("private", ctypes.c_void_p), ("type", ctypes.c_int), ("name", ctypes.c_char_p), ("children", Pointer),
    ("last", Pointer), ("parent", Pointer), ("next", Pointer), ("prev", Pointer), ("doc", Pointer),
]
ELEMENT, ATTRIBUTE, NAMESPACE = 1, 2, 18
Visible = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


def load_libxml2():
    library = ctypes.CDLL("libxml2.so.2")
    library.xmlReadMemory.restype = Pointer
    library.xmlReadMemory.argtypes = [
        ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
    library.xmlAllocOutputBuffer.restype = ctypes.c_void_p
    library.xmlAllocOutputBuffer.argtypes = [ctypes.c_void_p]
    library.xmlC14NExecute.argtypes = [
        Pointer, Visible, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int,
        ctypes.c_void_p]
    library.xmlOutputBufferGetContent.restype = ctypes.c_void_p
    library.xmlOutputBufferGetContent.argtypes = [ctypes.c_void_p]
    library.xmlOutputBufferGetSize.restype = ctypes.c_size_t
    library.xmlOutputBufferGetSize.argtypes = [ctypes.c_void_p]
    library.xmlOutputBufferClose.argtypes = [ctypes.c_void_p]
    library.xmlFreeDoc.argtypes = [Pointer]
    return library


def address(pointer):
    return ctypes.cast(pointer, ctypes.c_void_p).value


def walk(node):
    """The node, what is below it, in document order."""
    yield node
    if node.contents.type == ELEMENT:
        child = node.contents.children
        while child:
            yield from walk(child)
            child = child.contents.next


def canonicalize(library, job):
    """Exclusive C14N without comments of a subtree, by a node set as the specification has it."""
    xml = base64.b64decode(job["xml"])
    doc = library.xmlReadMemory(xml, len(xml), None, None, 0)
    if not doc:
        raise ValueError("libxml2 refuses the document")
    root = doc.contents.children
    while root.contents.type != ELEMENT:
        root = root.contents.next
    elements = [node for node in walk(root) if node.contents.type == ELEMENT]
    inside = {address(node) for node in walk(elements[job["apex"]])}
    if job["excluded"] >= 0:
        inside -= {address(node) for node in walk(elements[job["excluded"]])}

    def is_visible(_, node, parent):
        kind = ctypes.cast(node, Pointer).contents.type
        return int((parent if kind in (ATTRIBUTE, NAMESPACE) else node) in inside)

    prefixes = (ctypes.c_char_p * (len(job["prefixes"]) + 1))(*[p.encode() for p in job["prefixes"]], None)
    buffer = library.xmlAllocOutputBuffer(None)
    status = library.xmlC14NExecute(doc, Visible(is_visible), None, 1, prefixes, 0, buffer)
    size = library.xmlOutputBufferGetSize(buffer)
    octets = ctypes.string_at(library.xmlOutputBufferGetContent(buffer), size)
    library.xmlOutputBufferClose(buffer)
    library.xmlFreeDoc(doc)
    if status < 0:
        raise ValueError("libxml2 cannot canonicalise")
    return octets


class Signatures:
    """signxml, which is imported only if it is asked for."""

    def __init__(self):
        import cryptography.x509
        import lxml.etree
        import signxml
        from cryptography.hazmat.primitives import hashes, serialization
        self.etree, self.signxml, self.x509 = lxml.etree, signxml, cryptography.x509
        self.hashes, self.serialization = hashes, serialization
        self.certificates = {}

    def certificate(self, pem):
        """A self-signed certificate for a key: signxml checks only against certificates."""
        if pem not in self.certificates:
            key = self.serialization.load_pem_private_key(pem.encode(), None)
            name = self.x509.Name([self.x509.NameAttribute(self.x509.NameOID.COMMON_NAME, "judge")])
            now = datetime.datetime.now(datetime.timezone.utc)
            builder = self.x509.CertificateBuilder(
                name, name, key.public_key(), self.x509.random_serial_number(), now - datetime.timedelta(days=1),
                now + datetime.timedelta(days=1))
            self.certificates[pem] = builder.sign(key, self.hashes.SHA256())
        return self.certificates[pem]

    def is_hmac(self, job):
        return "hmac" in job["algorithm"]

    def sign(self, job):
        signxml = self.signxml
        xml = base64.b64decode(job["xml"])
        root = self.etree.fromstring(xml)
        enveloped = not job["ids"]
        signer = signxml.XMLSigner(
            method=signxml.methods.enveloped if enveloped else signxml.methods.detached,
            signature_algorithm=signxml.SignatureMethod(job["algorithm"]),
            digest_algorithm=signxml.DigestAlgorithm(job["digest"]),
            c14n_algorithm=signxml.CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
        if self.is_hmac(job):
            options = {"key": base64.b64decode(job["key"])}
        else:
            certificate = self.certificate(job["key"])
            options = {
                "key": job["key"].encode(),
                "cert": certificate.public_bytes(self.serialization.Encoding.PEM).decode()}
        if enveloped:
            options["reference_uri"] = ["#" + root.get("Id")]
        else:
            options["reference_uri"] = [
                signxml.SignatureReference(
                    URI="#" + name, c14n_method=signxml.CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
                    inclusive_ns_prefixes=job["prefixes"] or None)
                for name in job["ids"]]
        signed = signer.sign(root, **options)
        if not enveloped:
            root.append(signed)
            signed = root
        return self.etree.tostring(signed, encoding="utf-8")

    def verify(self, job):
        signxml = self.signxml
        config = signxml.SignatureConfiguration(require_x509=False, expect_references=True)
        if self.is_hmac(job):
            options = {"hmac_key": base64.b64decode(job["key"])}
        else:
            options = {"x509_cert": self.certificate(job["key"])}
        # Without certificate validation: the certificate is self-signed and short-lived.
        results = signxml.XMLVerifier().verify(base64.b64decode(job["xml"]), expect_config=config, **options)
        return b"".join(result.signed_data for result in results)


def main():
    library = signatures = None
    answers = []
    for job in json.load(sys.stdin):
        try:
            if job["op"] == "c14n":
                library = library or load_libxml2()
                octets = canonicalize(library, job)
            else:
                signatures = signatures or Signatures()
                octets = getattr(signatures, job["op"])(job)
            answers.append({"octets": base64.b64encode(octets).decode()})
        except ImportError:
            raise
        except Exception as error:  # an answer, not a crash: the test says what was refused
            answers.append({"error": f"{type(error).__name__}: {error}"})
    json.dump(answers, sys.stdout)


main()
