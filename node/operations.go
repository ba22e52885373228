package node

import (
	"net/http"
	"slices"
)

// operationsTable lists the calls of those who look after the node.
func (a api) operationsTable() []route {
	return slices.Concat(a.administrationTable(), []route{
		{Method: "GET", Path: "/api/v1/alerts", Summary: "What needs, or needed, a hand: open alerts first", Scopes: []string{scopeMetrics}, Status: http.StatusOK, Answer: AlertListJSON{}, handler: a.listAlerts,
			Query: []queryParam{textParam("state", "open or over. Default: both."), textParam("language", "Language of the texts: en, de, fr, it. Default: en.")}},
		{Method: "GET", Path: "/api/v1/tokens", Summary: "Tokens of this interface, without their secrets", Scopes: []string{scopeAdmin}, Status: http.StatusOK, Answer: TokenListJSON{}, handler: a.listTokens},
		{Method: "POST", Path: "/api/v1/tokens", Summary: "Make a token, or make that of a name anew; its secret is told once", Scopes: []string{scopeAdmin}, Status: http.StatusCreated, Body: NewTokenJSON{}, Answer: MadeTokenJSON{}, handler: a.makeToken},
		{Method: "DELETE", Path: "/api/v1/tokens/{name}", Summary: "Remove a token that was made here", Scopes: []string{scopeAdmin}, Status: http.StatusNoContent, handler: a.dropToken},
		{Method: "GET", Path: "/api/v1/users", Summary: "Who may open the console", Scopes: []string{scopeAdmin}, Status: http.StatusOK, Answer: UserListJSON{}, handler: a.listUsers},
		{Method: "POST", Path: "/api/v1/users", Summary: "Let somebody in; the password for the first login is told once", Scopes: []string{scopeAdmin}, Status: http.StatusCreated, Body: NewUserJSON{}, Answer: UserPasswordJSON{}, handler: a.addUser},
		{Method: "POST", Path: "/api/v1/users/{name}/reset", Summary: "Give a user a password for one login, remove the second factor and end all logins", Scopes: []string{scopeAdmin}, Status: http.StatusOK, Answer: UserPasswordJSON{}, handler: a.resetUser},
		{Method: "DELETE", Path: "/api/v1/users/{name}", Summary: "Remove a user", Scopes: []string{scopeAdmin}, Status: http.StatusNoContent, handler: a.removeUser},
	})
}
