package main

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node"
)

var participantCommand = &command{
	name: "participant", summary: "says who can be reached at this node, and with what: its own entries in the network's directory.",
	example: "viadukt participant add --sample invoice --config pt/viadukt.yaml",
	sub: []*command{
		{name: "add", summary: "makes a participant known for a kind of document.", args: "[PARTICIPANT]",
			help: `The kind of document can be taken from a document: --document FILE registers its receiver, or the participant that is
named, for documents of this kind. --sample does the same for a document that viadukt makes itself.`,
			example: "viadukt participant add --document invoice.xml\nviadukt participant add iso6523-actorid-upis::9946:PT502011378 --sample invoice", prepare: prepareParticipantAdd},
		{name: "remove", summary: "takes a participant, or one kind of document, out of the directory.", args: "PARTICIPANT",
			example: "viadukt participant remove iso6523-actorid-upis::9946:PT502011378", prepare: prepareParticipantRemove},
		{name: "list", summary: "lists the participants of this node.", example: "viadukt participant list", prepare: prepareParticipantList},
	},
}

func prepareParticipantAdd(c *call) func() error {
	c.most = 1
	c.jsonFlag()
	open := c.apiFlags()
	doctype := c.String("doctype", "", "document `type`, scheme::value")
	process := c.String("process", "", "`process`, scheme::value")
	file := c.String("document", "", "take document type and process, and the receiver, from this `file`")
	kind := c.String("sample", "", "the same from a sample `document`: "+strings.Join(sampleKinds, ", "))
	return func() error {
		participant := ""
		if len(c.values) > 0 {
			participant = c.values[0]
		}
		if *file != "" || *kind != "" {
			d, err := readDocument(*file, *kind)
			if err != nil {
				return err
			}
			participant = firstOf(participant, d.receiver.String())
			*doctype, *process = firstOf(*doctype, d.doctype.String()), firstOf(*process, d.process.String())
		}
		if participant == "" || *doctype == "" || *process == "" {
			return usage("participant, document type and process are needed: name them (--doctype, --process), or take them from a document (--document FILE)")
		}
		p, err := ids.ParseParticipant(participant)
		if err != nil {
			return usage("%v", err)
		}
		a, err := open()
		if err != nil {
			return err
		}
		path := "/participants/" + url.PathEscape(p.String()) + "/services/" + url.PathEscape(*doctype)
		if err := a.ask(http.MethodPut, path, nil, map[string]string{"process": *process}, nil); err != nil {
			return err
		}
		if c.json {
			return c.print(map[string]string{"participant": p.String(), "documentType": *doctype, "process": *process})
		}
		c.printf("%s is registered for %s\n", p, shortAction(*doctype))
		return nil
	}
}

// readDocument recognises a file, or a sample of a kind.
func readDocument(file, kind string) (*document, error) {
	var b []byte
	var err error
	if file != "" {
		b, err = os.ReadFile(file)
	} else {
		b, err = makeSample(kind, "1", time.Now())
	}
	if err != nil {
		return nil, &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
	}
	d, err := recognise(b)
	if err != nil {
		return nil, &exit{status: statusInvalid, Code: "NOT_RECOGNISED", Where: firstOf(file, kind), Text: err.Error()}
	}
	return d, nil
}

func prepareParticipantRemove(c *call) func() error {
	c.least, c.most = 1, 1
	open := c.apiFlags()
	doctype := c.String("doctype", "", "only this document `type`")
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		path := "/participants/" + url.PathEscape(c.values[0])
		if *doctype != "" {
			path += "/services/" + url.PathEscape(*doctype)
		}
		if err := a.ask(http.MethodDelete, path, nil, nil, nil); err != nil {
			return err
		}
		c.printf("%s is removed\n", c.values[0])
		return nil
	}
}

func prepareParticipantList(c *call) func() error {
	c.jsonFlag()
	open := c.apiFlags()
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		after := ""
		for n := 0; ; {
			var l struct {
				Participants []node.ParticipantJSON `json:"participants"`
			}
			if err := a.get("/participants", url.Values{"after": {after}}, &l); err != nil {
				return err
			}
			for _, p := range l.Participants {
				if c.json {
					if err := c.print(p); err != nil {
						return err
					}
					continue
				}
				c.printf("%s\n", p.Participant)
				for _, d := range p.DocumentTypes {
					c.printf("    %s\n", d)
				}
			}
			if n += len(l.Participants); len(l.Participants) == 0 {
				if n == 0 && !c.json {
					c.printf("no participants\n")
				}
				return nil
			}
			after = l.Participants[len(l.Participants)-1].Participant
		}
	}
}
