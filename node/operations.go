package node

import "net/http"

// operationsTable lists the calls of those who look after the node.
func (a api) operationsTable() []route {
	return []route{
		{Method: "GET", Path: "/api/v1/alerts", Summary: "What needs, or needed, a hand: open alerts first", Scopes: []string{scopeMetrics}, Status: http.StatusOK, Answer: AlertListJSON{}, handler: a.listAlerts,
			Query: []queryParam{textParam("state", "open or over. Default: both."), textParam("language", "Language of the texts: en, de, fr, it. Default: en.")}},
	}
}
