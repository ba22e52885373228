// SPDX-License-Identifier: EUPL-1.2
// A back office that is told: a server that CXF made of the contract of pushes. One JSON object a line for each call;
// the first call about a message is answered with a fault, so that the gateway has to come again.
import gen.push.*;
import jakarta.jws.WebService;
import jakarta.xml.ws.BindingType;
import jakarta.xml.ws.Endpoint;
import jakarta.xml.ws.soap.SOAPBinding;
import java.io.ByteArrayOutputStream;
import java.util.HashSet;
import java.util.Set;
import org.apache.cxf.annotations.SchemaValidation;

@SchemaValidation(type = SchemaValidation.SchemaValidationType.IN)
@BindingType(SOAPBinding.SOAP12HTTP_BINDING)
@WebService(endpointInterface = "gen.push.BackendInterface", targetNamespace = "eu.domibus", serviceName = "BackendService", portName = "BACKEND_PORT", wsdlLocation = "BackendService.wsdl")
public class Office implements BackendInterface {
  final Set<String> seen = new HashSet<>();

  static String quoted(String s) {
    return s == null ? "null" : "\"" + s.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + "\"";
  }

  static synchronized void say(String call, String... fields) {
    StringBuilder b = new StringBuilder("{\"call\":" + quoted(call));
    for (int i = 0; i < fields.length; i += 2) b.append(",").append(quoted(fields[i])).append(":").append(quoted(fields[i + 1]));
    System.out.println(b.append("}"));
    System.out.flush();
  }

  @Override
  public void submitRequest(SubmitRequest request, Messaging header) throws SubmitRequestFault {
    UserMessage um = header.getUserMessage();
    String id = um.getMessageInfo().getMessageId();
    synchronized (this) {
      if (seen.add(id)) {
        BackendFaultDetail d = new BackendFaultDetail();
        d.setCode("BUSY");
        d.setMessage("not now");
        say("fault", "id", id);
        throw new SubmitRequestFault("not now", d);
      }
    }
    StringBuilder properties = new StringBuilder();
    for (Property p : um.getMessageProperties().getProperty()) properties.append(p.getName()).append("=").append(p.getValue()).append(";");
    StringBuilder payloads = new StringBuilder();
    try {
      for (LargePayloadType p : request.getPayload()) {
        ByteArrayOutputStream octets = new ByteArrayOutputStream();
        p.getValue().writeTo(octets);
        payloads.append(p.getPayloadId()).append("|").append(p.getMimeType()).append("|").append(p.getPayloadName()).append("|").append(octets).append(";");
      }
    } catch (java.io.IOException e) {
      throw new IllegalStateException(e);
    }
    say("submitRequest", "id", id, "action", um.getCollaborationInfo().getAction(), "from", um.getPartyInfo().getFrom().getPartyId().getValue(), "parts", "" + um.getPayloadInfo().getPartInfo().size(), "properties", properties.toString(), "payloads", payloads.toString());
  }

  @Override public void sendSuccess(SendSuccess n) { say("sendSuccess", "id", n.getMessageID()); }
  @Override public void sendFailure(SendFailure n) { say("sendFailure", "id", n.getMessageID()); }
  @Override public void receiveSuccess(ReceiveSuccess n) { say("receiveSuccess", "id", n.getMessageID()); }
  @Override public void receiveFailure(ReceiveFailure n) { say("receiveFailure", "id", n.getMessageID()); }
  @Override public void delete(Delete n) { say("delete", "id", n.getMessageID()); }
  @Override public void deleteBatch(DeleteBatch n) { say("deleteBatch", "id", String.join(" ", n.getMessageIds())); }
  @Override public void messageStatusChange(MessageStatusChange n) { say("messageStatusChange", "id", n.getMessageID(), "status", "" + n.getMessageStatus()); }

  public static void main(String[] args) throws Exception {
    Endpoint.publish(args[0], new Office());
    say("ready");
    System.in.read(); // until whoever started it is gone
    System.exit(0);
  }
}
