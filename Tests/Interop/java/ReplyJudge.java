import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.namespace.QName;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.soap.AttachmentPart;
import javax.xml.soap.SOAPMessage;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.stream.StreamResult;
import javax.xml.ws.handler.MessageContext;
import javax.xml.ws.handler.soap.SOAPHandler;
import javax.xml.ws.handler.soap.SOAPMessageContext;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** Checks the signature of every reply and fault with the JDK's own XML-Signature: by the domain's certificate, over the Body. */
final class ReplyJudge implements SOAPHandler<SOAPMessageContext> {
    private static final String WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    private static final String WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    private static final String XOP = "http://www.w3.org/2004/08/xop/include";
    private static final String SOAP = "http://www.w3.org/2003/05/soap-envelope";

    private final X509Certificate root;
    private final String domain;
    private int checked = 0;

    ReplyJudge(Path root, String domain) throws Exception {
        this.root = certificate(Files.readAllBytes(root));
        this.domain = domain;
    }

    int checked() { return checked; }

    /** TLS to servers that the domain's root vouches for, and to no other. */
    SSLContext trustingOnlyTheRoot() throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        store.setCertificateEntry("root", root);
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context;
    }

    /** Without this JAX-WS would refuse replies: their Security header must be understood. */
    @Override public Set<QName> getHeaders() { return Set.of(new QName(WSSE, "Security")); }

    @Override public boolean handleMessage(SOAPMessageContext context) { return judge(context); }

    @Override public boolean handleFault(SOAPMessageContext context) { return judge(context); }

    @Override public void close(MessageContext context) {}

    private boolean judge(SOAPMessageContext context) {
        // What goes out is not touched: asking for it as SAAJ would undo the MTOM packaging that is tested.
        if (Boolean.TRUE.equals(context.get(MessageContext.MESSAGE_OUTBOUND_PROPERTY))) return true;
        try {
            verify(inlined(context.getMessage()));
            checked += 1;
            return true;
        } catch (Exception error) {
            throw new IllegalStateException("the reply cannot be trusted: " + error.getMessage(), error);
        }
    }

    /** XOP 1.0 §4.2: the envelope as it was signed, with the base64 of each part in the place of its Include. */
    private static Document inlined(SOAPMessage message) throws Exception {
        ByteArrayOutputStream envelope = new ByteArrayOutputStream();
        TransformerFactory.newInstance().newTransformer().transform(message.getSOAPPart().getContent(), new StreamResult(envelope));
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        Document document = factory.newDocumentBuilder().parse(new ByteArrayInputStream(envelope.toByteArray()));
        NodeList includes = document.getElementsByTagNameNS(XOP, "Include");
        while (includes.getLength() > 0) {
            Element include = (Element) includes.item(0);
            String base64 = Base64.getEncoder().encodeToString(part(message, include.getAttribute("href")));
            include.getParentNode().replaceChild(document.createTextNode(base64), include);
        }
        return document;
    }

    private static byte[] part(SOAPMessage message, String reference) throws Exception {
        String identifier = URLDecoder.decode(reference.replaceFirst("^cid:", "").replace("+", "%2B"), StandardCharsets.UTF_8);
        for (Iterator<?> parts = message.getAttachments(); parts.hasNext(); ) {
            AttachmentPart part = (AttachmentPart) parts.next();
            String found = part.getContentId();
            if (found.equals(identifier) || found.equals("<" + identifier + ">")) return part.getRawContentBytes();
        }
        throw new IllegalStateException("no part " + reference);
    }

    private void verify(Document document) throws Exception {
        Element security = only(document, WSSE, "Security");
        Element token = only(security, WSSE, "BinarySecurityToken");
        X509Certificate signer = certificate(Base64.getMimeDecoder().decode(token.getTextContent()));
        check(signer);
        DOMValidateContext context = new DOMValidateContext(signer.getPublicKey(), only(security, XMLSignature.XMLNS, "Signature"));
        NodeList all = document.getElementsByTagNameNS("*", "*");
        for (int index = 0; index < all.getLength(); index++) {
            Element element = (Element) all.item(index);
            if (element.hasAttributeNS(WSU, "Id")) context.setIdAttributeNS(element, WSU, "Id");
        }
        XMLSignature signature = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context);
        if (!signature.validate(context)) throw new IllegalStateException("the signature does not verify");
        String body = "#" + only(document.getDocumentElement(), SOAP, "Body").getAttributeNS(WSU, "Id");
        boolean covered = false;
        for (Object reference : signature.getSignedInfo().getReferences()) covered |= body.equals(((Reference) reference).getURI());
        if (!covered) throw new IllegalStateException("the Body is not signed");
    }

    /** Issued by the root, and for the domain. */
    private void check(X509Certificate signer) throws Exception {
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        parameters.setRevocationEnabled(false);
        CertPathValidator.getInstance("PKIX").validate(
            CertificateFactory.getInstance("X.509").generateCertPath(List.of(signer)), parameters);
        boolean named = signer.getSubjectAlternativeNames().stream().anyMatch(name -> domain.equals(name.get(1)));
        if (!named) throw new IllegalStateException("the certificate is not of " + domain);
    }

    private static X509Certificate certificate(byte[] octets) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(octets));
    }

    private static Element only(Document document, String namespace, String name) {
        return only(document.getElementsByTagNameNS(namespace, name), name);
    }

    private static Element only(Element parent, String namespace, String name) {
        return only(parent.getElementsByTagNameNS(namespace, name), name);
    }

    private static Element only(NodeList found, String name) {
        if (found.getLength() != 1) throw new IllegalStateException("expected one " + name + ", found " + found.getLength());
        return (Element) found.item(0);
    }
}
