package backoffice

import (
	"net/http"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	nsWSDL   = "http://schemas.xmlsoap.org/wsdl/"
	nsWSDL12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
	nsXSD    = "http://www.w3.org/2001/XMLSchema"
	nsMime   = "http://www.w3.org/2005/05/xmlmime"
)

// operation is one entry of a contract. Names are those that generated clients use.
type operation struct {
	name, in, out, fault string
	headerIn, headerOut  bool
}

// contract is all that a WSDL says of an interface.
type contract struct {
	ns, service, port, portType, binding, path string
	operations                                 []operation
	newer                                      bool
}

var contracts = map[string]contract{
	nsPlugin: {nsPlugin, "WebServicePlugin", "WEBSERVICEPLUGIN_PORT", "WebServicePluginInterface", "WebServicePlugin_SoapBinding", "/domibus/services/wsplugin", []operation{
		{"submitMessage", "submitRequest", "submitResponse", "SubmitMessageFault", true, false},
		{"getStatus", "statusRequest", "getStatusResponse", "StatusFault", false, false},
		{"getStatusWithAccessPointRole", "statusRequestWithAccessPointRole", "getStatusResponse", "StatusFault", false, false},
		{"listPendingMessages", "listPendingMessagesRequest", "listPendingMessagesResponse", "listPendingMessagesFault", false, false},
		{"listPushFailedMessages", "listPushFailedMessagesRequest", "listPushFailedMessagesResponse", "listPushFailedMessagesFault", false, false},
		{"rePushFailedMessages", "rePushFailedMessagesRequest", "", "rePushFailedMessagesFault", false, false},
		{"getMessageErrors", "getErrorsRequest", "getMessageErrorsResponse", "getMessageErrorsFault", false, false},
		{"getMessageErrorsWithAccessPointRole", "getErrorsRequestWithAccessPointRole", "getMessageErrorsResponse", "getMessageErrorsFault", false, false},
		{"retrieveMessage", "retrieveMessageRequest", "retrieveMessageResponse", "RetrieveMessageFault", false, true},
		{"markMessageAsDownloaded", "markMessageAsDownloadedRequest", "markMessageAsDownloadedResponse", "MarkMessageAsDownloadedFault", false, false},
	}, true},
	nsOld: {nsOld, "BackendService_1_1", "BACKEND_PORT", "BackendInterface", "BackendService_1_1SoapBinding", "/domibus/services/backend", []operation{
		{"submitMessage", "submitRequest", "submitResponse", "SubmitMessageFault", true, false},
		{"getStatus", "statusRequest", "getStatusResponse", "StatusFault", false, false},
		{"listPendingMessages", "listPendingMessagesRequest", "listPendingMessagesResponse", "listPendingMessagesFault", false, false},
		{"getMessageErrors", "getErrorsRequest", "getMessageErrorsResponse", "getMessageErrorsFault", false, false},
		{"retrieveMessage", "retrieveMessageRequest", "retrieveMessageResponse", "RetrieveMessageFault", false, true},
	}, false},
}

func (s *Service) wsdl(w http.ResponseWriter, r *http.Request, ns string) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	c := contracts[ns]
	w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(c.wsdl(scheme + "://" + r.Host + c.path))
}

// wsdl writes the contract with the address of this node.
func (c *contract) wsdl(address string) []byte {
	x := dom.NewWriter([]byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n"))
	x.Start("wsdl:definitions", "xmlns:wsdl", nsWSDL, "xmlns:soap12", nsWSDL12, "xmlns:xsd", nsXSD, "xmlns:tns", c.ns, "xmlns:eb", ebms.NS, "name", c.service, "targetNamespace", c.ns)
	x.Start("wsdl:types")
	headerSchema(x, c.newer)
	c.schema(x)
	x.End()
	message := func(name, element string, header bool) {
		x.Start("wsdl:message", "name", name)
		if element != "" {
			x.Element("wsdl:part", "", "name", element, "element", "tns:"+element)
		}
		if header {
			x.Element("wsdl:part", "", "name", "ebMSHeaderInfo", "element", "eb:Messaging")
		}
		x.End()
	}
	faults := map[string]bool{}
	for _, o := range c.operations {
		message(o.name, o.in, o.headerIn)
		message(o.name+"Response", o.out, o.headerOut)
		if !faults[o.fault] {
			faults[o.fault] = true
			x.Start("wsdl:message", "name", o.fault)
			x.Element("wsdl:part", "", "name", o.fault, "element", "tns:FaultDetail")
			x.End()
		}
	}
	x.Start("wsdl:portType", "name", c.portType)
	for _, o := range c.operations {
		x.Start("wsdl:operation", "name", o.name)
		x.Element("wsdl:input", "", "name", o.name, "message", "tns:"+o.name)
		x.Element("wsdl:output", "", "name", o.name+"Response", "message", "tns:"+o.name+"Response")
		x.Element("wsdl:fault", "", "name", o.fault, "message", "tns:"+o.fault)
		x.End()
	}
	x.End()
	x.Start("wsdl:binding", "name", c.binding, "type", "tns:"+c.portType)
	x.Element("soap12:binding", "", "style", "document", "transport", "http://schemas.xmlsoap.org/soap/http")
	for _, o := range c.operations {
		x.Start("wsdl:operation", "name", o.name)
		x.Element("soap12:operation", "", "soapAction", "", "style", "document")
		side := func(element, name, part string, header bool) {
			x.Start(element, "name", name)
			if header {
				x.Element("soap12:header", "", "message", "tns:"+name, "part", "ebMSHeaderInfo", "use", "literal")
				x.Element("soap12:body", "", "parts", part, "use", "literal")
			} else {
				x.Element("soap12:body", "", "use", "literal")
			}
			x.End()
		}
		side("wsdl:input", o.name, o.in, o.headerIn)
		side("wsdl:output", o.name+"Response", o.out, o.headerOut)
		x.Start("wsdl:fault", "name", o.fault)
		x.Element("soap12:fault", "", "name", o.fault, "use", "literal")
		x.End()
		x.End()
	}
	x.End()
	x.Start("wsdl:service", "name", c.service)
	x.Start("wsdl:port", "name", c.port, "binding", "tns:"+c.binding)
	x.Element("soap12:address", "", "location", address)
	x.End()
	x.End()
	x.End()
	return x.Bytes()
}

// child is an element within a type: "name type" with "?" or "*" behind it for how often it occurs.
func child(x *dom.Writer, spec string) {
	name, typ, _ := strings.Cut(spec, " ")
	attrs := []string{"name", strings.TrimRight(name, "?*"), "type", typ}
	switch name[len(name)-1] {
	case '?':
		attrs = append(attrs, "minOccurs", "0")
	case '*':
		attrs = append(attrs, "minOccurs", "0", "maxOccurs", "unbounded")
	}
	x.Element("xsd:element", "", attrs...)
}

// complexType writes a type whose children stand in a sequence, or in any order ("all").
func complexType(x *dom.Writer, name, order string, attributes []string, children ...string) {
	if name == "" {
		x.Start("xsd:complexType")
	} else {
		x.Start("xsd:complexType", "name", name)
	}
	if len(children) > 0 {
		x.Start("xsd:" + order)
		for _, c := range children {
			child(x, c)
		}
		x.End()
	}
	attributeList(x, attributes)
	x.End()
}

func attributeList(x *dom.Writer, attributes []string) {
	for _, a := range attributes {
		name, typ, _ := strings.Cut(a, " ")
		use := "required"
		if strings.HasSuffix(name, "?") {
			use = "optional"
		}
		x.Element("xsd:attribute", "", "name", strings.TrimRight(name, "?"), "type", typ, "use", use)
	}
}

func simpleType(x *dom.Writer, name string, values []string) {
	x.Start("xsd:simpleType", "name", name)
	x.Start("xsd:restriction", "base", "xsd:string")
	for _, v := range values {
		x.Element("xsd:enumeration", "", "value", v)
	}
	x.End()
	x.End()
}

func textType(x *dom.Writer, name, most string) {
	x.Start("xsd:simpleType", "name", name)
	x.Start("xsd:restriction", "base", "xsd:string")
	x.Element("xsd:minLength", "", "value", "1")
	x.Element("xsd:maxLength", "", "value", most)
	x.End()
	x.End()
}

func valueType(x *dom.Writer, name, base string, attributes ...string) {
	x.Start("xsd:complexType", "name", name)
	x.Start("xsd:simpleContent")
	x.Start("xsd:extension", "base", base)
	attributeList(x, attributes)
	x.End()
	x.End()
	x.End()
}

// headerSchema describes the header block: less than ebMS allows, and one element more in the newer interface.
func headerSchema(x *dom.Writer, newer bool) {
	x.Start("xsd:schema", "targetNamespace", ebms.NS, "elementFormDefault", "qualified")
	x.Element("xsd:element", "", "name", "Messaging", "type", "eb:Messaging")
	complexType(x, "Messaging", "sequence", []string{"mustUnderstand? xsd:boolean"}, "UserMessage? eb:UserMessage")
	parts := []string{"MessageInfo? eb:MessageInfo", "PartyInfo eb:PartyInfo", "CollaborationInfo eb:CollaborationInfo", "MessageProperties? eb:MessageProperties", "PayloadInfo? eb:PayloadInfo"}
	if newer {
		parts = append(parts, "ProcessingType? eb:ProcessingType")
		simpleType(x, "ProcessingType", []string{"PUSH", "PULL"})
	}
	complexType(x, "UserMessage", "all", []string{"mpc? xsd:anyURI"}, parts...)
	complexType(x, "MessageInfo", "all", nil, "Timestamp? xsd:dateTime", "MessageId? eb:Short", "RefToMessageId? eb:Short")
	complexType(x, "PartyInfo", "all", nil, "From eb:From", "To? eb:To")
	complexType(x, "From", "all", nil, "PartyId eb:PartyId", "Role eb:Short")
	complexType(x, "To", "all", nil, "PartyId eb:PartyId", "Role eb:Short")
	complexType(x, "CollaborationInfo", "all", nil, "AgreementRef? eb:AgreementRef", "Service eb:Service", "Action xsd:token", "ConversationId? xsd:token")
	complexType(x, "PayloadInfo", "sequence", nil, "PartInfo* eb:PartInfo")
	complexType(x, "PartInfo", "all", []string{"href? xsd:token"}, "PartProperties? eb:PartProperties")
	complexType(x, "MessageProperties", "sequence", nil, "Property* eb:Property")
	complexType(x, "PartProperties", "sequence", nil, "Property* eb:Property")
	valueType(x, "PartyId", "eb:Short", "type? eb:Short")
	valueType(x, "Service", "eb:Short", "type? eb:Short")
	valueType(x, "AgreementRef", "eb:Short", "type? eb:Short", "pmode? eb:Short")
	valueType(x, "Property", "eb:Long", "name eb:Short", "type? eb:Short")
	textType(x, "Short", "255")
	textType(x, "Long", "1024")
	x.End()
}

// statuses are the names that a message can have, in the order in which they are documented.
func statuses() (out []string) {
	seen := map[string]bool{}
	for _, d := range []store.Direction{store.Out, store.In} {
		for _, st := range store.States() {
			if word := status(&store.Message{Direction: d, State: st}); st.Belongs(d) && !seen[word] {
				seen[word] = true
				out = append(out, word)
			}
		}
	}
	return append(out, "READY_TO_PULL", "DELETED", "NOT_FOUND")
}

// schema describes what stands in the Body.
func (c *contract) schema(x *dom.Writer) {
	x.Start("xsd:schema", "xmlns:xmime", nsMime, "targetNamespace", c.ns)
	element := func(name string, attributes []string, children ...string) {
		x.Start("xsd:element", "name", name)
		complexType(x, "", "sequence", attributes, children...)
		x.End()
	}
	textType(x, "Id", "255")
	simpleType(x, "mshRole", []string{"SENDING", "RECEIVING"})
	simpleType(x, "messageStatus", statuses())
	x.Start("xsd:complexType", "name", "LargePayloadType")
	x.Start("xsd:sequence")
	x.Element("xsd:element", "", "name", "value", "type", "xsd:base64Binary", "xmime:expectedContentTypes", "application/octet-stream")
	x.End()
	attributeList(x, []string{"payloadId? xsd:token", "contentType? xsd:string"})
	x.End()
	code := "errorCode"
	if c.newer {
		code = "domibusErrorCode"
	}
	complexType(x, "errorResultImpl", "sequence", nil, code+"? xsd:string", "errorDetail? xsd:string", "messageInErrorId? xsd:string", "mshRole? tns:mshRole", "notified? xsd:dateTime", "timestamp? xsd:dateTime")
	complexType(x, "errorResultImplArray", "sequence", nil, "item* tns:errorResultImpl")
	element("FaultDetail", nil, "code xsd:string", "message xsd:string")
	element("submitRequest", nil, "bodyload? tns:LargePayloadType", "payload* tns:LargePayloadType")
	element("submitResponse", nil, "messageID* xsd:string")
	element("statusRequest", nil, "messageID tns:Id")
	x.Element("xsd:element", "", "name", "getStatusResponse", "type", "tns:messageStatus")
	element("getErrorsRequest", nil, "messageID tns:Id")
	x.Element("xsd:element", "", "name", "getMessageErrorsResponse", "type", "tns:errorResultImplArray")
	element("listPendingMessagesResponse", nil, "messageID* xsd:string")
	element("retrieveMessageResponse", nil, "bodyload? tns:LargePayloadType", "payload* tns:LargePayloadType")
	if !c.newer {
		element("retrieveMessageRequest", nil, "messageID tns:Id")
		x.Element("xsd:element", "", "name", "listPendingMessagesRequest", "type", "xsd:anyType")
		x.End()
		return
	}
	element("retrieveMessageRequest", []string{"markAsDownloaded? xsd:string"}, "messageID tns:Id")
	element("statusRequestWithAccessPointRole", nil, "messageID tns:Id", "accessPointRole tns:mshRole")
	element("getErrorsRequestWithAccessPointRole", nil, "messageID tns:Id", "accessPointRole tns:mshRole")
	element("markMessageAsDownloadedRequest", nil, "messageID tns:Id")
	element("markMessageAsDownloadedResponse", nil, "messageID tns:Id")
	element("listPendingMessagesRequest", nil, "messageId? tns:Id", "conversationId? tns:Id", "refToMessageId? tns:Id", "fromPartyId? tns:Id", "finalRecipient? tns:Id", "originalSender? tns:Id", "receivedFrom? xsd:dateTime", "receivedTo? xsd:dateTime")
	element("listPushFailedMessagesRequest", nil, "messageId? tns:Id", "finalRecipient? tns:Id", "originalSender? tns:Id", "receivedFrom? xsd:dateTime", "receivedTo? xsd:dateTime")
	element("listPushFailedMessagesResponse", nil, "messageID* xsd:string")
	element("rePushFailedMessagesRequest", nil, "messageID* xsd:string")
	x.End()
}
