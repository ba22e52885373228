package console

import (
	"crypto/rand"
	"encoding/base64"
	"html/template"
	"net/http"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edocument/espd"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

type espdData struct {
	Problem string        // key
	Wrong   []error       // answers that cannot be taken
	Form    template.HTML // the questions, made by package espd
	Request string        // the document, which the form carries with it: nothing is kept
}

func (c *Console) espdPage(x *call) error {
	return x.show(http.StatusOK, "espd", view{Title: "nav.espd", Data: espdData{}})
}

// espd shows the questions of a request that was brought, or of a response to go on with; answered, it hands the response
// out. Nothing of it is kept.
func (c *Console) espd(x *call) error {
	octets, err := x.upload("document")
	if err != nil {
		return err
	}
	answered := len(octets) == 0 && x.value("request") != ""
	if answered {
		if octets, err = base64.StdEncoding.DecodeString(x.value("request")); err != nil {
			return &problem{status: http.StatusBadRequest, key: "error.request"}
		}
	}
	refused := func(key string) error {
		return x.show(http.StatusUnprocessableEntity, "espd", view{Title: "nav.espd", Data: espdData{Problem: key}})
	}
	if len(octets) == 0 {
		return refused("validate.no-file")
	}
	request := base64.StdEncoding.EncodeToString(octets)
	doc, err := dom.Parse(octets, dom.Limits{})
	if err != nil {
		return refused("espd.unknown")
	}
	d, err := espd.Read(doc)
	if err != nil {
		return refused("espd.unknown")
	}
	uuid, err := ebms.NewConversationID(rand.Reader)
	if err != nil {
		return err
	}
	if r := d; !d.Response || answered {
		d = r.Respond("ESPDRES-"+uuid, uuid, espd.Operator{}, x.now())
	}
	data, status := espdData{Request: request}, http.StatusOK
	if answered {
		if data.Wrong = d.Fill(x.r.PostForm); data.Wrong == nil {
			if x.value("as") == "pdf" {
				b, err := d.PDF(x.look.Language, x.now())
				if err != nil {
					return err
				}
				return x.handOut("application/pdf", "espd-response.pdf", b)
			}
			return x.handOut("application/xml", "espd-response.xml", d.XML())
		}
		status = http.StatusUnprocessableEntity
	}
	form, err := d.Form(x.look.Language)
	if err != nil {
		return err
	}
	data.Form = template.HTML(form)
	return x.show(status, "espd", view{Title: "nav.espd", Name: d.Folder, Data: data})
}
