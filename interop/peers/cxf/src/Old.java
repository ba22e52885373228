// SPDX-License-Identifier: EUPL-1.2
// A back office with the client that CXF made of the old interface's contract.
import gen.old.*;
import gen.old.header.*;
import jakarta.activation.DataHandler;
import jakarta.mail.util.ByteArrayDataSource;
import jakarta.xml.ws.BindingProvider;
import jakarta.xml.ws.Holder;
import jakarta.xml.ws.soap.SOAPBinding;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

public class Old {
  static final String PARTY = "urn:oasis:names:tc:ebcore:partyid-type:unregistered";
  static final String EB = "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/";

  static BackendInterface port(String address, boolean mtom) {
    BackendInterface p = new BackendService11(Old.class.getResource("/old.wsdl")).getBACKENDPORT();
    BindingProvider b = (BindingProvider) p;
    b.getRequestContext().put(BindingProvider.ENDPOINT_ADDRESS_PROPERTY, address + "/domibus/services/backend");
    ((SOAPBinding) b.getBinding()).setMTOMEnabled(mtom);
    return p;
  }

  static PartyId party(String id) {
    PartyId p = new PartyId();
    p.setType(PARTY);
    p.setValue(id);
    return p;
  }

  static Property property(String name, String value) {
    Property p = new Property();
    p.setName(name);
    p.setValue(value);
    return p;
  }

  static Messaging header(String from, String to) {
    UserMessage um = new UserMessage();
    um.setPartyInfo(new PartyInfo());
    um.getPartyInfo().setFrom(new From());
    um.getPartyInfo().getFrom().setPartyId(party(from));
    um.getPartyInfo().getFrom().setRole(EB + "initiator");
    um.getPartyInfo().setTo(new To());
    um.getPartyInfo().getTo().setPartyId(party(to));
    um.getPartyInfo().getTo().setRole(EB + "responder");
    um.setCollaborationInfo(new CollaborationInfo());
    Service s = new Service();
    s.setType("tc1");
    s.setValue("bdx:noprocess");
    um.getCollaborationInfo().setService(s);
    um.getCollaborationInfo().setAction("TC1Leg1");
    um.setMessageProperties(new MessageProperties());
    um.getMessageProperties().getProperty().add(property("originalSender", PARTY + ":C1"));
    um.getMessageProperties().getProperty().add(property("finalRecipient", PARTY + ":C4"));
    um.setPayloadInfo(new PayloadInfo());
    PartInfo part = new PartInfo();
    part.setHref("cid:message");
    part.setPartProperties(new PartProperties());
    part.getPartProperties().getProperty().add(property("MimeType", "text/xml"));
    um.getPayloadInfo().getPartInfo().add(part);
    Messaging m = new Messaging();
    m.setUserMessage(um);
    return m;
  }

  static void check(boolean ok, String what) {
    if (!ok) throw new IllegalStateException(what);
    System.out.println("{\"step\":\"" + what + "\",\"ok\":true}");
  }

  public static void main(String[] a) throws Exception {
    boolean mtom = a[4].equals("mtom");
    BackendInterface blue = port(a[0], mtom), red = port(a[1], mtom);
    byte[] content = new byte[300_000];
    Arrays.fill(content, (byte) ' ');
    System.arraycopy("<letter/>".getBytes(StandardCharsets.UTF_8), 0, content, 0, 9);
    SubmitRequest r = new SubmitRequest();
    LargePayloadType p = new LargePayloadType();
    p.setPayloadId("cid:message");
    p.setContentType("text/xml");
    p.setValue(new DataHandler(new ByteArrayDataSource(content, "application/octet-stream")));
    r.getPayload().add(p);
    String id = blue.submitMessage(r, header(a[2], a[3])).getMessageID().get(0);
    check(id.contains("@"), "submit");
    StatusRequest status = new StatusRequest();
    status.setMessageID(id);
    MessageStatus s = null;
    for (int i = 0; i < 600 && s != MessageStatus.ACKNOWLEDGED; i++, Thread.sleep(50)) s = blue.getStatus(status);
    check(s == MessageStatus.ACKNOWLEDGED, "status of what was sent");
    check(red.getStatus(status) == MessageStatus.RECEIVED, "status of what was received");
    check(red.listPendingMessages("").getMessageID().contains(id), "list");
    Holder<RetrieveMessageResponse> body = new Holder<>();
    Holder<Messaging> header = new Holder<>();
    RetrieveMessageRequest get = new RetrieveMessageRequest();
    get.setMessageID(id);
    red.retrieveMessage(get, body, header);
    check(Arrays.equals(body.value.getPayload().get(0).getValue().getInputStream().readAllBytes(), content), "retrieve");
    check(header.value.getUserMessage().getMessageInfo().getMessageId().equals(id), "header");
    check(!red.listPendingMessages("").getMessageID().contains(id), "not listed again");
    check(red.getStatus(status) == MessageStatus.DOWNLOADED, "status of what was retrieved");
    GetErrorsRequest errors = new GetErrorsRequest();
    errors.setMessageID(id);
    check(blue.getMessageErrors(errors).getItem().isEmpty(), "errors");
    try {
      get.setMessageID("unknown@nowhere");
      red.retrieveMessage(get, body, header);
      check(false, "fault");
    } catch (RetrieveMessageFault f) {
      check(f.getFaultInfo().getCode().equals("EBMS_0004"), "fault");
    }
  }
}
