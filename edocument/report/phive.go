package report

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
)

// The result of phive in JSON, with its names in its order.
type (
	phiveResult struct {
		DateTime    string       `json:"validationDateTime"`
		Source      phiveSource  `json:"validationSource"`
		VES         phiveVES     `json:"ves"`
		Success     bool         `json:"success"`
		Interrupted bool         `json:"interrupted"`
		Worst       string       `json:"mostSevereErrorLevel"`
		Results     []phiveLayer `json:"results"`
		Millis      int64        `json:"durationMS"`
	}
	phiveSource struct {
		Type     string `json:"sourceTypeID"`
		SystemID string `json:"systemID"`
		Partial  bool   `json:"partialSource"`
	}
	phiveVES struct {
		ID         string `json:"vesid"`
		Name       string `json:"name"`
		Deprecated bool   `json:"deprecated"`
		Status     string `json:"status"`
	}
	phiveLayer struct {
		Success  string      `json:"success"`
		Validity string      `json:"validity"`
		Type     string      `json:"artifactType"`
		PathType string      `json:"artifactPathType"`
		Path     string      `json:"artifactPath"`
		Items    []phiveItem `json:"items"`
		Millis   int64       `json:"durationMS"`
	}
	phiveItem struct {
		Level    string     `json:"errorLevel"`
		ID       string     `json:"errorID,omitempty"`
		Field    string     `json:"errorFieldName,omitempty"`
		Location *phivePosn `json:"errorLocationObj,omitempty"`
		Text     string     `json:"errorText"`
	}
	phivePosn struct {
		Resource string `json:"resource"`
		Line     int    `json:"line"`
		Column   int    `json:"col"`
	}
)

// phiveLevels are ordered by what they mean; fatal and info are shown as these.
var phiveLevels = map[edocument.Severity]string{edocument.Fatal: "ERROR", edocument.Error: "ERROR", edocument.Warning: "WARN", edocument.Info: "SUCCESS"}

// Phive writes the verdict as the validator phive writes its own.
func Phive(d *Document) []byte {
	r := phiveResult{
		DateTime: d.Started.Format("2006-01-02T15:04:05.000Z07:00"), Source: phiveSource{"xml", d.Name, false},
		Success: d.Valid(), Worst: "SUCCESS", Results: []phiveLayer{}, Millis: d.Took.Milliseconds(), VES: phiveVES{Status: "VALID"},
	}
	if d.Report != nil && len(d.Report.Pack) > 0 {
		r.VES.ID = strings.ReplaceAll(d.Report.Pack[len(d.Report.Pack)-1], "@", ":")
		r.VES.Name = r.VES.ID
	}
	first := phiveLayer{Success: "TRUE", Validity: "valid", Type: "xml", PathType: "none", Path: "", Items: []phiveItem{}}
	if d.Err != nil {
		first.Success, first.Validity, r.Worst, r.Interrupted = "FALSE", "invalid", "ERROR", !d.NotXML
		first.Items = append(first.Items, phiveItem{Level: "ERROR", Text: d.Err.Error(), Location: &phivePosn{Resource: d.Name}})
	}
	r.Results = append(r.Results, first)
	for _, l := range d.layers() {
		x := phiveLayer{Success: "TRUE", Validity: "valid", Type: string(l.Kind), PathType: "classpath", Path: l.File, Items: []phiveItem{}, Millis: int64(l.Took / time.Millisecond)}
		if l.Kind == edocument.LayerRules {
			x.Type = "schematron-xslt"
		}
		if l.Skipped {
			x.Success, x.Validity = "UNDEFINED", "skipped"
		}
		for _, f := range d.findings(l) {
			level := phiveLevels[f.Severity]
			switch {
			case level == "ERROR":
				r.Worst, x.Success, x.Validity = "ERROR", "FALSE", "invalid"
			case level == "WARN" && r.Worst == "SUCCESS":
				r.Worst = "WARN"
			}
			x.Items = append(x.Items, phiveItem{level, f.ID, f.Location, &phivePosn{d.Name, f.Line, f.Column}, f.Text})
		}
		r.Results = append(r.Results, x)
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		panic("report: " + err.Error()) // the types are fixed
	}
	return append(b, '\n')
}
