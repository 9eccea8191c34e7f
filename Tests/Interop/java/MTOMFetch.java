import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import wsemail.*;

/**
 * Fetches the file of a message from the user's own server. With MTOM on, JAX-WS makes every call a package, also one without a
 * file: so the answer is one too, and the file is a part of it. The signature covers it all the same.
 *
 * Arguments: as Caller, then SUBJECT OUTPUT-FILE. Prints one line per step; ends with status 0 only if all of them held.
 */
public final class MTOMFetch {
    private static final String ATTACHMENTS = "urn:wsemail:2:attachments";

    public static void main(String[] arguments) throws Exception {
        Caller caller = new Caller(arguments);
        RetrieveResponseType stored = retrieve(caller, arguments[5]);
        AttachmentType promised = stored.getMessage().getAttachment().get(0);
        String guid = stored.getPostmark().getAttachment().get(0).getGuid();
        System.out.println("attachment " + guid + " " + promised.getName());

        Element answer = (Element) caller.call().extension(get(guid)).getAny();
        byte[] file = Base64.getMimeDecoder().decode(answer.getElementsByTagNameNS(ATTACHMENTS, "Data").item(0).getTextContent());
        if (!Arrays.equals(MessageDigest.getInstance("SHA-256").digest(file), promised.getSha256()))
            throw new IllegalStateException("another file");
        Files.write(Path.of(arguments[6]), file);
        System.out.println("fetched " + file.length + " octets, digest verified");
        System.out.println("signatures checked " + caller.judge.checked());
    }

    private static RetrieveResponseType retrieve(Caller caller, String subject) throws Exception {
        ListType list = new ListType();
        list.setFolder("Inbox");
        for (HeaderType header : caller.call().list(list).getHeader()) {
            if (!header.getSubject().equals(subject)) continue;
            RetrieveType retrieve = new RetrieveType();
            retrieve.setId(header.getId());
            return caller.call().retrieve(retrieve);
        }
        throw new IllegalStateException("no message has that subject");
    }

    private static ExtensionType get(String guid) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        Document document = factory.newDocumentBuilder().newDocument();
        Element get = document.createElementNS(ATTACHMENTS, "Get");
        get.setAttribute("guid", guid);
        get.setAttribute("inline", "true");
        document.appendChild(get);
        ExtensionType call = new ExtensionType();
        call.setIdentifier(ATTACHMENTS);
        call.setAny(get);
        return call;
    }
}
