"""Judges our SAML assertions with signxml, python-xmlsec and lxml. One JSON object in, one out.

Jobs ("op"):
  verify  assertion: text, certificate (PEM)  -> id, subject, audience as lxml reads them; signed: by signxml and by xmlsec
  sign    assertion: text without signature, key (PEM), certificate (PEM), thumbprint (base64)
                                              -> assertion: signed by signxml, the signature behind the Issuer
  msal    reply: text                         -> token, type: cut out of the envelope as MSAL does it, by regular expression
"""
import json
import re
import sys

import signxml
import xmlsec
from lxml import etree

SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
DS = "http://www.w3.org/2000/09/xmldsig#"
DSIG11 = "http://www.w3.org/2009/xmldsig11#"
EXCLUSIVE = signxml.CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0


def verify(job):
    octets = job["assertion"].encode()
    config = signxml.SignatureConfiguration(require_x509=False, expect_references=1)
    result = signxml.XMLVerifier().verify(octets, x509_cert=job["certificate"], expect_config=config)
    by_signxml = result.signed_xml

    root = etree.fromstring(octets)
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(job["certificate"].encode(), xmlsec.KeyFormat.CERT_PEM)
    context.verify(root.find(f"{{{DS}}}Signature"))
    return {
        "id": root.get("ID"),
        "signed": by_signxml.get("ID"),
        "order": [etree.QName(child).localname for child in root],
        "subject": root.findtext(f"{SAML}Subject/{SAML}NameID"),
        "audience": root.findtext(f"{SAML}Conditions/{SAML}AudienceRestriction/{SAML}Audience"),
    }


def sign(job):
    root = etree.fromstring(job["assertion"].encode())
    placeholder = etree.Element(f"{{{DS}}}Signature", Id="placeholder", nsmap={"ds": DS})
    root.find(f"{SAML}Issuer").addnext(placeholder)
    info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS})
    data = etree.SubElement(info, f"{{{DS}}}X509Data")
    digest = etree.SubElement(data, f"{{{DSIG11}}}X509Digest", Algorithm="http://www.w3.org/2001/04/xmlenc#sha256")
    digest.text = job["thumbprint"]
    signer = signxml.XMLSigner(
        method=signxml.methods.enveloped, signature_algorithm=signxml.SignatureMethod.ECDSA_SHA256,
        digest_algorithm=signxml.DigestAlgorithm.SHA256, c14n_algorithm=EXCLUSIVE)
    signed = signer.sign(
        root, key=job["key"].encode(), cert=job["certificate"], reference_uri="#" + root.get("ID"), key_info=info)
    return {"assertion": etree.tostring(signed).decode()}


def msal(job):
    def contents(text, tag):
        return re.findall(rf"<(?:\w+:)?{tag}(?:[^>]*)>(.*)</(?:\w+:)?{tag}", text, re.DOTALL)

    for response in contents(job["reply"], "RequestSecurityTokenResponse"):
        types, tokens = contents(response, "TokenType"), contents(response, "RequestedSecurityToken")
        if types and tokens:
            return {"token": tokens[0], "type": types[0]}
    raise ValueError("MSAL finds no token")


def main():
    job = json.load(sys.stdin)
    try:
        answer = {"verify": verify, "sign": sign, "msal": msal}[job["op"]](job)
    except Exception as error:  # an answer, not a crash: the test says what was refused
        answer = {"error": f"{type(error).__name__}: {error}"}
    json.dump(answer, sys.stdout)


main()
