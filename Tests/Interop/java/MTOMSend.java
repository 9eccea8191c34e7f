import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.GregorianCalendar;
import java.util.UUID;
import javax.xml.datatype.DatatypeFactory;
import javax.xml.ws.soap.SOAPFaultException;
import wsemail.*;

/**
 * Sends one message with one file, which JAX-WS makes an MTOM part, and another one whose file does not fit.
 *
 * Arguments: as Caller, then RECIPIENT FILE. Prints one line per step; ends with status 0 only if all of them held.
 */
public final class MTOMSend {
    public static void main(String[] arguments) throws Exception {
        Caller caller = new Caller(arguments);
        byte[] file = Files.readAllBytes(Path.of(arguments[6]));
        SendType send = request(caller.user, arguments[5], file);
        ReceiptType receipt = caller.call().send(send).getReceipt();
        if (!receipt.getMessageId().equals(send.getMessage().getId())) throw new IllegalStateException("a Receipt for another message");
        for (ReceiptRecipientType recipient : receipt.getRecipient())
            System.out.println("receipt " + recipient.getValue() + " " + recipient.getStatus().value());

        SendType damaged = request(caller.user, arguments[5], file);
        damaged.getBlob().set(0, "something else".getBytes("UTF-8"));
        try {
            caller.call().send(damaged);
            throw new IllegalStateException("a file was taken that the message does not name");
        } catch (SOAPFaultException fault) {
            System.out.println("fault " + fault.getFault().getFaultSubcodes().next() + " " + fault.getMessage());
        }
        System.out.println("signatures checked " + caller.judge.checked());
    }

    private static SendType request(String from, String to, byte[] file) throws Exception {
        AttachmentType attachment = new AttachmentType();
        attachment.setName("plan.bin");
        attachment.setType("application/octet-stream");
        attachment.setSize(java.math.BigInteger.valueOf(file.length));
        attachment.setSha256(MessageDigest.getInstance("SHA-256").digest(file));
        BodyType body = new BodyType();
        body.setText("Sent by JAX-WS with MTOM.");
        MessageType message = new MessageType();
        message.setId("urn:uuid:" + UUID.randomUUID());
        message.setFrom(mailbox(from));
        message.getTo().add(mailbox(to));
        message.setSubject("A file from Java <&>");
        GregorianCalendar now = GregorianCalendar.from(Instant.now().truncatedTo(ChronoUnit.SECONDS).atZone(ZoneOffset.UTC));
        message.setDate(DatatypeFactory.newInstance().newXMLGregorianCalendar(now));
        message.setBody(body);
        message.getAttachment().add(attachment);
        SendType send = new SendType();
        send.setMessage(message);
        send.getBlob().add(file);
        return send;
    }

    private static MailboxType mailbox(String address) {
        MailboxType mailbox = new MailboxType();
        mailbox.setValue(address);
        return mailbox;
    }
}
