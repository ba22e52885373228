package console

import (
	"net/http"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

func (c *Console) partners(x *call) error {
	return x.show(http.StatusOK, "partners", view{Title: "nav.partners", Data: c.opt.Network.Partners()})
}

type partnerData struct {
	Partner
	Certificates []judged
	Findings     []Finding // of a check that was just made
	Checked      bool
	Worst        Severity
}

func (c *Console) partner(x *call) error { return c.showPartner(x, nil) }

func (c *Console) showPartner(x *call, findings []Finding) error {
	for _, p := range c.opt.Network.Partners() {
		if p.Name != x.r.PathValue("name") {
			continue
		}
		d := partnerData{Partner: p, Certificates: judge(p.Certificates, x.now()), Findings: findings, Checked: findings != nil, Worst: OK}
		for _, f := range findings {
			if f.Severity == Failure || f.Severity == Warning && d.Worst == OK {
				d.Worst = f.Severity
			}
		}
		return x.show(http.StatusOK, "partner", view{Title: "partner.title", Name: p.Name, Data: d})
	}
	return errNotFound
}

// checkPartner tries the way to a partner and shows what came of it on the same page.
func (c *Console) checkPartner(x *call) error {
	name := x.r.PathValue("name")
	findings, err := c.opt.Network.CheckPartner(x.r.Context(), name)
	if err != nil {
		return err
	}
	x.act("partner.check", name)
	if findings == nil {
		findings = []Finding{}
	}
	return c.showPartner(x, findings)
}

// judged is a certificate with what its dates mean today.
type judged struct {
	Certificate
	Verdict string // key
	Kind    string // good, warn, bad
	Days    int    // left; negative: since the end
}

func judge(certs []Certificate, now time.Time) []judged {
	out := make([]judged, 0, len(certs))
	for _, c := range certs {
		j := judged{Certificate: c, Days: int(c.NotAfter.Sub(now) / (24 * time.Hour))}
		switch {
		case now.Before(c.NotBefore):
			j.Verdict, j.Kind = "certificate.not-yet", "bad"
		case !now.Before(c.NotAfter):
			j.Verdict, j.Kind = "certificate.expired", "bad"
		case c.NotAfter.Sub(now) < certificateSoon:
			j.Verdict, j.Kind = "certificate.soon", "warn"
		default:
			j.Verdict, j.Kind = "certificate.valid", "good"
		}
		out = append(out, j)
	}
	return out
}

func (c *Console) certificates(x *call) error {
	return c.showCertificates(x, http.StatusOK, &certificatesData{})
}

// judgeAll judges certificates, the next to end first.
func judgeAll(certs []Certificate, now time.Time) []judged {
	all := judge(certs, now)
	slices.SortStableFunc(all, func(a, b judged) int { return a.NotAfter.Compare(b.NotAfter) })
	return all
}

func (c *Console) agreement(x *call) error {
	dir, err := store.ParseDirection(x.r.PathValue("direction"))
	if err != nil {
		return errNotFound
	}
	for _, a := range c.opt.Network.Agreements() {
		if a.ID == x.r.PathValue("id") && a.Direction == dir {
			return x.show(http.StatusOK, "agreement", view{Title: "agreement.title", Name: a.ID, Data: a})
		}
	}
	return errNotFound
}
