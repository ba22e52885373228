package console

import "slices"

// Role says what a user may do; each includes those before it.
type Role string

// Roles. A viewer sees everything but documents and users.
const (
	Viewer        Role = "viewer"
	Operator      Role = "operator"
	Administrator Role = "administrator"
)

// Roles are all of them, the least first.
var Roles = []Role{Viewer, Operator, Administrator}

// May reports whether r includes what need is for.
func (r Role) May(need Role) bool {
	have := slices.Index(Roles, r)
	return have >= 0 && have >= slices.Index(Roles, need)
}
