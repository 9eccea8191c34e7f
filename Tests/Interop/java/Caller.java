import com.sun.xml.ws.api.message.Headers;
import com.sun.xml.ws.developer.JAXWSProperties;
import com.sun.xml.ws.developer.WSBindingProvider;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.handler.Handler;
import javax.xml.ws.soap.AddressingFeature;
import javax.xml.ws.soap.MTOMFeature;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import wsemail.WSEmail;
import wsemail.WSEmail_Service;

/**
 * A user's port, made from the server's WSDL by JAX-WS: MTOM, WS-Addressing, a password over TLS. Every reply, faults too, must be
 * signed by the domain.
 */
final class Caller {
    private static final String WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    private static final String WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    private static final String PASSWORD_TEXT =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";

    final String user;
    final ReplyJudge judge;
    private final String password;
    private final WSEmail port;

    /** Arguments: WSDL-FILE ENDPOINT ROOT.pem USER PASSWORD-FILE */
    Caller(String[] arguments) throws Exception {
        user = arguments[3];
        password = Files.readString(Path.of(arguments[4])).strip();
        judge = new ReplyJudge(Path.of(arguments[2]), user.split("@")[1]);
        WSEmail_Service service = new WSEmail_Service(Path.of(arguments[0]).toUri().toURL());
        // 0: whatever is base64 becomes a part.
        port = service.getWSEmailSoap12(new MTOMFeature(true, 0), new AddressingFeature(true, true));
        BindingProvider provider = (BindingProvider) port;
        provider.getRequestContext().put(BindingProvider.ENDPOINT_ADDRESS_PROPERTY, arguments[1]);
        provider.getRequestContext().put(JAXWSProperties.SSL_SOCKET_FACTORY, judge.trustingOnlyTheRoot().getSocketFactory());
        provider.getRequestContext().put("com.sun.xml.ws.connect.timeout", 10_000);
        provider.getRequestContext().put("com.sun.xml.ws.request.timeout", 60_000);
        List<Handler> handlers = provider.getBinding().getHandlerChain();
        handlers.add(judge);
        provider.getBinding().setHandlerChain(handlers);
    }

    /** The port, ready for one call: a Timestamp, and so the header, serves no other. */
    WSEmail call() throws Exception {
        ((WSBindingProvider) port).setOutboundHeaders(Headers.create(security()));
        return port;
    }

    /** WSS UsernameToken Profile 1.1.1 §3.1, WSS 1.1.1 §10. JAX-WS has no WS-Security of its own. */
    private Element security() throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        Document document = factory.newDocumentBuilder().newDocument();
        Element security = document.createElementNS(WSSE, "wsse:Security");
        document.appendChild(security);
        Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        Element timestamp = child(security, WSU, "wsu:Timestamp", "");
        child(timestamp, WSU, "wsu:Created", now.toString());
        child(timestamp, WSU, "wsu:Expires", now.plusSeconds(300).toString());
        Element token = child(security, WSSE, "wsse:UsernameToken", "");
        child(token, WSSE, "wsse:Username", user);
        child(token, WSSE, "wsse:Password", password).setAttribute("Type", PASSWORD_TEXT);
        return security;
    }

    private static Element child(Element parent, String namespace, String name, String text) {
        Element element = parent.getOwnerDocument().createElementNS(namespace, name);
        if (!text.isEmpty()) element.setTextContent(text);
        parent.appendChild(element);
        return element;
    }
}
